// The process of one program: it runs the source and answers calls. All that it says is the program's own claim.
// A message is a token of 16 bytes, with which its answer must begin, a byte that says what it is, and the content.
const channel = frames(require("fs"), 3, 3);
const told = (error) => {
  try {
    return [String(error.name).slice(0, 100), String(error.message).slice(0, 300)];
  } catch {
    return ["Error", ""];
  }
};
const vm = require("vm");
const TOKEN = 16;
for (;;) {
  const message = channel.read();
  const say = (tag, content) => channel.write(Buffer.concat([message.subarray(0, TOKEN), Buffer.from(tag + content)]));
  const text = message.toString("utf8", TOKEN + 1);
  try {
    if (message[TOKEN] === 0x73) {
      // "s": the source
      vm.runInThisContext(text, { filename: "program" });
      say("D", "");
    } else {
      const [name, args] = JSON.parse(text);
      say("V", JSON.stringify(pack(vm.runInThisContext(name)(...args.map(unpack)))));
    }
  } catch (error) {
    say("X", JSON.stringify(told(error)));
  }
}
