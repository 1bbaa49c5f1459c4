"""Reads, or copies, a folder of LevelDB with Google's own library: prints each key with the size and
the checksum of its value."""

import sys
import zlib

import plyvel


def show(folder):
    database = plyvel.DB(folder, paranoid_checks=True)
    for key, value in database:
        print(key.decode(), len(value), zlib.crc32(value))
    database.close()


def copy(source, target):
    old = plyvel.DB(source, paranoid_checks=True)
    # Small buffers make tables, not only a log.
    new = plyvel.DB(target, create_if_missing=True, compression=None, write_buffer_size=65536)
    for key, value in old:
        new.put(key, value, sync=True)
    new.close()
    old.close()


if __name__ == "__main__":
    {"show": show, "copy": copy}[sys.argv[1]](*sys.argv[2:])
