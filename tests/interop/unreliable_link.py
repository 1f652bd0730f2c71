# SPDX-License-Identifier: Apache-2.0
"""A link between a client and a server that can be cut: what is sent either way is passed on until then."""
import selectors
import socket
import threading

CHUNK = 65536


class UnreliableLink:
    def __init__(self, host, port):
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.pairs = []  # guarded by lock
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.target)
            with self.lock:
                self.pairs.append((client, server))
            threading.Thread(target=self.carry, args=(client, server), daemon=True).start()

    @staticmethod
    def carry(client, server):
        selector = selectors.DefaultSelector()
        selector.register(client, selectors.EVENT_READ, server)
        selector.register(server, selectors.EVENT_READ, client)
        try:
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(CHUNK)
                    if not data:
                        return
                    key.data.sendall(data)
        except OSError:
            pass  # cut
        finally:
            client.close()
            server.close()

    def cut(self):
        """As a cable is: both sides lose what they had, at once."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        assert pairs, "nobody is connected"
        for end in (end for pair in pairs for end in pair):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other end went first
