// Values as JSON and back, for the judge and for a program who may write anything at all. What arrives is of a plain
// type: an object's own enumerable properties, without its prototype. What can't be sent arrives as a symbol of its own.
const frames = (fs, input, output) => {
  const readAll = (size) => {
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size; ) {
      let got = 0;
      try {
        got = fs.readSync(input, bytes, at, size - at);
      } catch (error) {
        if (error.code !== "EAGAIN") throw error;
        continue;
      }
      if (got === 0) process.exit(0);
      at += got;
    }
    return bytes;
  };
  const writeAll = (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      try {
        at += fs.writeSync(output, bytes, at);
      } catch (error) {
        if (error.code !== "EAGAIN") throw error;
      }
    }
  };
  return {
    read: () => readAll(readAll(4).readUInt32LE()),
    write: (payload) => {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(payload.length);
      writeAll(Buffer.concat([size, payload]));
    },
  };
};

const pack = (value) => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "undefined":
      return ["u"];
    case "bigint":
      return ["b", value.toString()];
    case "number":
      if (Object.is(value, -0)) return ["d", "-0"];
      return Number.isFinite(value) ? value : ["d", String(value)];
    case "object":
      if (value === null) return null;
      if (Array.isArray(value)) return ["a", Array.from(value, pack)];
      if (value instanceof Map) return ["m", Array.from(value, ([key, item]) => [pack(key), pack(item)])];
      if (value instanceof Set) return ["s", Array.from(value, pack)];
      if (Object.prototype.toString.call(value) !== "[object Object]") return ["x"];
      return ["o", Object.keys(value).map((key) => [key, pack(value[key])])];
    default:
      return ["x"];
  }
};

const unpack = (flat) => {
  if (flat === null || ["string", "boolean", "number"].includes(typeof flat)) return flat;
  const [tag, content] = flat;
  switch (tag) {
    case "u":
      return undefined;
    case "b":
      return BigInt(content);
    case "d":
      return Number(content);
    case "a":
      return content.map(unpack);
    case "m":
      return new Map(content.map(([key, item]) => [unpack(key), unpack(item)]));
    case "s":
      return new Set(content.map(unpack));
    case "o": {
      const made = {};
      for (const [key, item] of content)
        Object.defineProperty(made, key, { value: unpack(item), writable: true, enumerable: true, configurable: true });
      return made;
    }
    case "x":
      return Symbol("a value that can't be sent");
    default:
      throw new TypeError("no value");
  }
};
