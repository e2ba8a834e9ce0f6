"""A private network in which every address is this machine: it shows connections to denied addresses, and none leaves
it.

usage: unshare --net --mount address_lab.py SEEN PROGRAM ARGUMENT... (with --map-root-user where not root)
Runs the program there. SEEN gets a line of JSON for each connection, with the address that it was made to, and for each
name that was looked up.

Names: 10-0-0-1.v4.hostile.example has the address 10.0.0.1, fc00--1.v6.hostile.example has fc00::1; several addresses
are joined by "-and-"; with "-then-" the first is the answer the first time, and the second from then on.
"""

import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading

PORTS = (80, 443, 8443)
A, AAAA = 1, 28
lock = threading.Lock()
asked = {}


def see(seen, **what):
    with lock:
        seen.write(json.dumps(what) + "\n")
        seen.flush()


def accept(seen):
    """Accepts every connection, notes the address that it was made to, and hangs up."""
    listening = selectors.DefaultSelector()
    for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for port in PORTS:
            server = socket.socket(family, socket.SOCK_STREAM)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            server.bind((any_address, port))
            server.listen(500)
            listening.register(server, selectors.EVENT_READ)
    while True:
        for key, _ in listening.select():
            connection, _ = key.fileobj.accept()
            see(seen, connected=connection.getsockname()[0])
            connection.close()


def addresses(name):
    """The addresses that a name stands for."""
    label, kind = name.split(".")[:2]
    if "-then-" in label:
        asked[name] = asked.get(name, 0) + 1
        # Each look-up asks for both kinds of address.
        label = label.split("-then-")[0 if asked[name] <= 2 else 1]
    separator = "." if kind == "v4" else ":"
    return kind, [part.replace("-", separator) for part in label.split("-and-")]


def resolve(seen):
    """Answers as the name server of hostile.example."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    while True:
        query, client = server.recvfrom(4096)
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        (wanted,) = struct.unpack("!H", query[at + 1 : at + 3])
        name = ".".join(labels).lower()
        answers = []
        if name.endswith(".hostile.example"):
            see(seen, asked=name)
            kind, texts = addresses(name)
            if kind == "v4" and wanted == A:
                answers = [socket.inet_pton(socket.AF_INET, text) for text in texts]
            if kind == "v6" and wanted == AAAA:
                answers = [socket.inet_pton(socket.AF_INET6, text) for text in texts]
        reply = query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(answers), 0, 0) + query[12 : at + 5]
        for address in answers:
            reply += struct.pack("!HHHIH", 0xC00C, wanted, 1, 0, len(address)) + address
        server.sendto(reply, client)


def main():
    seen = open(sys.argv[1], "w")
    for command in (
        "ip link set lo up",
        "ip route add local 0.0.0.0/0 dev lo",
        "ip -6 route add local ::/0 dev lo",
    ):
        subprocess.run(command.split(), check=True)
    resolver = sys.argv[1] + ".resolv.conf"
    with open(resolver, "w") as file:
        file.write("nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")
    subprocess.run(["mount", "--bind", resolver, "/etc/resolv.conf"], check=True)
    for work in (accept, resolve):
        threading.Thread(target=work, args=(seen,), daemon=True).start()
    program = subprocess.Popen(sys.argv[2:])
    signal.signal(signal.SIGTERM, lambda *_: program.terminate())
    os._exit(program.wait())


main()
