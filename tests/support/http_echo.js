// http_echo.js - node's http as it comes, for record_http.py: reads each request whole, says
// 200, or 299 to the sentinel; prints its port.
"use strict";
const http = require("http");

const server = http.createServer((request, response) => {
    request.on("data", () => {});
    request.on("end", () => {
        response.statusCode = request.url === "/sentinel" ? 299 : 200;
        response.setHeader("Content-Length", 2);
        response.end("ok");
    });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
