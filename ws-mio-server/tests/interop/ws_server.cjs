// Node's `ws`: a server that sends back what it gets, and closes with 4000 when it gets `bye`.
'use strict';

const { WebSocketServer } = require('ws');

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true });
server.on('listening', () => console.log(`url ws://127.0.0.1:${server.address().port}`));
server.on('connection', (connection) => {
  connection.on('message', (data, binary) => {
    if (!binary && data.toString() === 'bye') connection.close(4000, 'as you wish');
    else connection.send(data, { binary });
  });
});
