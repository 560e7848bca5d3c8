"use strict";
// `exchange.js` with Node's `ws`. CommonJS, because imports of modules disregard NODE_PATH.
const exchange = require("./exchange.js");
const WebSocket = require("ws");

const [, , base, ...kinds] = process.argv;
exchange(WebSocket, base, kinds).then(console.log, error => {
  console.error(error);
  process.exit(1);
});
