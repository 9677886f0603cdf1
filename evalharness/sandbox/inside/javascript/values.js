// Values as JSON and back, for the judge and for a program who may write anything at all. What arrives is of a plain
// type: an object's own enumerable properties, without its prototype. What was of another class arrives as of one that
// overrides nothing, so that it is strictly equal to no plain value. What can't be sent arrives as a symbol of its own.
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

const { types } = require("util");
const classes = { a: Array, m: Map, s: Set, o: Object };
const derived = Object.fromEntries(
  Object.entries(classes).map(([tag, base]) => [tag, class extends base {}.prototype]),
);
const HOLE = ["h"];
const isHole = (flat) => Array.isArray(flat) && flat[0] === HOLE[0];
const packEntries = (value, keys) => keys.map((key) => [key, pack(value[key])]);
const packItems = (array) => Array.from(array, (item, at) => (Object.hasOwn(array, at) ? pack(item) : HOLE));

// With the class if it is another, the properties beside the content, and the number of properties named by symbols.
const packObject = (tag, content, value, keys) => {
  const prototype = Object.getPrototypeOf(value);
  const other = prototype === null ? "none" : prototype === classes[tag].prototype ? "" : "derived";
  const isShown = (symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol);
  const symbols = Object.getOwnPropertySymbols(value).filter(isShown).length;
  const isPlain = other === "" && keys.length === 0 && symbols === 0;
  return isPlain ? [tag, content] : [tag, content, other, packEntries(value, keys), symbols];
};

const packArray = (value) => {
  const items = packItems(value);
  const beside = Object.keys(value).slice(items.filter((item) => !isHole(item)).length); // indices come first
  return packObject("a", items, value, beside);
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
      if (Array.isArray(value)) return packArray(value);
      if (types.isMap(value))
        return packObject("m", Array.from(value, ([key, item]) => [pack(key), pack(item)]), value, Object.keys(value));
      if (types.isSet(value)) return packObject("s", Array.from(value, pack), value, Object.keys(value));
      if (Object.prototype.toString.call(value) !== "[object Object]") return ["x"];
      return packObject("o", packEntries(value, Object.keys(value)), value, []);
    default:
      return ["x"];
  }
};

const define = (object, entries) => {
  for (const [key, item] of entries)
    Object.defineProperty(object, key, { value: unpack(item), writable: true, enumerable: true, configurable: true });
  return object;
};

const unpackItems = (content) => {
  const items = new Array(content.length);
  content.forEach((item, at) => {
    if (!isHole(item)) items[at] = unpack(item);
  });
  return items;
};

const unpackPlain = (tag, content) => {
  switch (tag) {
    case "u":
      return undefined;
    case "b":
      return BigInt(content);
    case "d":
      return Number(content);
    case "a":
      return unpackItems(content);
    case "m":
      return new Map(content.map(([key, item]) => [unpack(key), unpack(item)]));
    case "s":
      return new Set(content.map(unpack));
    case "o":
      return define({}, content);
    case "x":
      return Symbol("a value that can't be sent");
    default:
      throw new TypeError("no value");
  }
};

const unpack = (flat) => {
  if (flat === null || ["string", "boolean", "number"].includes(typeof flat)) return flat;
  const [tag, content, other = "", beside = [], symbols = 0] = flat;
  const made = unpackPlain(tag, content);
  define(made, beside);
  if (other !== "") Object.setPrototypeOf(made, other === "none" ? null : derived[tag]);
  for (let count = 0; count < symbols; count += 1) made[Symbol("a name that can't be sent")] = undefined;
  return made;
};
