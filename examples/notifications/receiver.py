"""Appends what it is sent to messages.txt, one line for each message."""

import http.server


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        with open("messages.txt", "a") as file:
            file.write(body.strip() + "\n")
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


open("messages.txt", "a").close()
http.server.HTTPServer(("127.0.0.1", 9911), Receiver).serve_forever()
