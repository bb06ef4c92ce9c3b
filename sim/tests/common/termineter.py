"""Drives the C12.18 library of termineter by commands on standard input.

Each command is a line of words; octets are hexadecimal, numbers decimal. Each is answered by a
line: "ok OCTETS", "code NUMBER" where the meter answers otherwise than with ok, or "failed TEXT".
"""

import logging
import sys

from c1218 import data
from c1218.connection import Connection
from c1218.errors import C1218ReadTableError, C1218WriteTableError

SERIAL = {
    "parity": "N", "baudrate": 9600, "bytesize": 8, "xonxoff": False, "interCharTimeout": None,
    "rtscts": False, "timeout": 5, "stopbits": 1, "dsrdtr": False, "writeTimeout": None,
}


class Refused(Exception):
    """The meter has answered with a code."""


class Reader:
    """One program at the port."""

    def __init__(self, port):
        self.port = port
        self.connection = None

    def open(self):
        self.connection = Connection(self.port, serial_settings=SERIAL, enable_cache=False)
        return b""

    def close(self):
        # Without Terminate: the probe is taken off.
        self.connection.serial_h.close()
        return b""

    def request(self, request):
        self.connection.send(request)
        response = self.connection.recv()
        if response[0] != 0:
            raise Refused(response[0])
        return bytes(response[1:])

    def identify(self):
        return self.request(data.C1218IdentRequest())

    def negotiate(self, size, packets, baud):
        return self.request(data.C1218NegotiateRequest(int(size), int(packets), int(baud)))

    def logon(self, user, number):
        return self.request(data.C1218LogonRequest(user, int(number)))

    def security(self, password):
        return self.request(data.C1218SecurityRequest(password))

    def logoff(self):
        return self.request(data.C1218LogoffRequest())

    def terminate(self):
        response = self.request(data.C1218TerminateRequest())
        # The library does so only in its own stop(), which needs its own start().
        self.connection._toggle_bit = False
        return response

    def wait(self, seconds):
        return self.request(data.C1218WaitRequest(int(seconds)))

    def read(self, table, offset=None, count=None):
        # The library takes an offset of zero for none.
        part = (None, None) if offset is None else (int(count), int(offset))
        return bytes(self.connection.get_table_data(int(table), *part))

    def write(self, table, octets, offset=None):
        place = None if offset is None else int(offset)
        self.connection.set_table_data(int(table), bytes.fromhex(octets), place)
        return b""

    def procedure(self, number, manufacturer, parameters):
        of_manufacturer = manufacturer == "yes"
        run = self.connection.run_procedure
        result, response = run(int(number), of_manufacturer, bytes.fromhex(parameters))
        return bytes([result]) + bytes(response)


def main():
    logging.getLogger("c1218").setLevel(logging.CRITICAL + 1)
    reader = Reader(sys.argv[1])
    for line in sys.stdin:
        command, *words = line.split()
        try:
            answer = "ok " + getattr(reader, command)(*words).hex()
        except Refused as refused:
            answer = "code %d" % refused.args[0]
        except (C1218ReadTableError, C1218WriteTableError) as error:
            answer = "code %d" % error.code if error.code is not None else "failed %s" % error
        except Exception as error:
            answer = "failed %s: %s" % (type(error).__name__, error)
        print(answer, flush=True)


main()
