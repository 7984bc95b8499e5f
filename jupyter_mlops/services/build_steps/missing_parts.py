"""Which distribution package has what a compilation did not find."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

COMPILER = ("build-essential", "python3-dev")

# Names as Debian and Ubuntu have them.
HEADERS = {
    "Python.h": "python3-dev", "pyconfig.h": "python3-dev", "ffi.h": "libffi-dev",
    "libxml/": "libxml2-dev", "libxslt/": "libxslt1-dev", "openssl/": "libssl-dev",
    "zlib.h": "zlib1g-dev", "bzlib.h": "libbz2-dev", "lzma.h": "liblzma-dev",
    "zstd.h": "libzstd-dev", "lz4.h": "liblz4-dev", "snappy.h": "libsnappy-dev",
    "sqlite3.h": "libsqlite3-dev", "libpq-fe.h": "libpq-dev", "pg_config.h": "libpq-dev",
    "mysql.h": "default-libmysqlclient-dev", "sql.h": "unixodbc-dev", "sqlext.h": "unixodbc-dev",
    "lber.h": "libldap2-dev", "ldap.h": "libldap2-dev", "sasl.h": "libsasl2-dev",
    "sasl/": "libsasl2-dev", "krb5.h": "libkrb5-dev", "krb5/": "libkrb5-dev",
    "gssapi.h": "libkrb5-dev", "gssapi/": "libkrb5-dev", "curl/": "libcurl4-openssl-dev",
    "yaml.h": "libyaml-dev", "expat.h": "libexpat1-dev", "jpeglib.h": "libjpeg-dev",
    "png.h": "libpng-dev", "tiff.h": "libtiff-dev", "tiffio.h": "libtiff-dev",
    "webp/": "libwebp-dev", "ft2build.h": "libfreetype-dev", "freetype/": "libfreetype-dev",
    "cairo.h": "libcairo2-dev", "cairo/": "libcairo2-dev",
    "girepository.h": "libgirepository1.0-dev", "glib.h": "libglib2.0-dev",
    "dbus/": "libdbus-1-dev", "hdf5.h": "libhdf5-dev",
    "netcdf.h": "libnetcdf-dev", "gdal.h": "libgdal-dev", "gdal_version.h": "libgdal-dev",
    "cpl_port.h": "libgdal-dev", "geos_c.h": "libgeos-dev", "proj.h": "libproj-dev",
    "proj_api.h": "libproj-dev", "spatialindex/": "libspatialindex-dev", "gmp.h": "libgmp-dev",
    "mpfr.h": "libmpfr-dev", "mpc.h": "libmpc-dev", "fftw3.h": "libfftw3-dev",
    "gsl/": "libgsl-dev", "cblas.h": "libopenblas-dev", "lapacke.h": "liblapacke-dev",
    "Eigen/": "libeigen3-dev", "boost/": "libboost-all-dev", "portaudio.h": "portaudio19-dev",
    "sndfile.h": "libsndfile1-dev", "libavcodec/": "libavcodec-dev",
    "libavformat/": "libavformat-dev", "magic.h": "libmagic-dev", "zmq.h": "libzmq3-dev",
    "event.h": "libevent-dev", "uv.h": "libuv1-dev", "pcap.h": "libpcap-dev",
    "libusb.h": "libusb-1.0-0-dev", "usb.h": "libusb-dev", "systemd/": "libsystemd-dev",
    "sys/capability.h": "libcap-dev", "pcre2.h": "libpcre2-dev", "pcre.h": "libpcre3-dev",
    "re2/": "libre2-dev", "leveldb/": "libleveldb-dev", "rocksdb/": "librocksdb-dev",
    "graphviz/": "libgraphviz-dev", "mpi.h": "libopenmpi-dev", "numa.h": "libnuma-dev",
    "readline/": "libreadline-dev", "curses.h": "libncurses-dev", "ncurses.h": "libncurses-dev",
    "uuid/": "uuid-dev", "xmlsec/": "libxmlsec1-dev", "tcl.h": "tcl-dev", "tk.h": "tk-dev",
    "archive.h": "libarchive-dev", "librdkafka/": "librdkafka-dev", "igraph/": "libigraph-dev",
}  # fmt: skip
"""A header, or the folder (with a slash) of many."""

PROGRAMS = {
    "pg_config": "libpq-dev", "mysql_config": "default-libmysqlclient-dev",
    "mariadb_config": "libmariadb-dev", "xml2-config": "libxml2-dev",
    "xslt-config": "libxslt1-dev", "curl-config": "libcurl4-openssl-dev",
    "gdal-config": "libgdal-dev", "geos-config": "libgeos-dev", "nc-config": "libnetcdf-dev",
    "krb5-config": "libkrb5-dev", "freetype-config": "libfreetype-dev", "llvm-config": "llvm-dev",
    "pkg-config": "pkg-config", "cmake": "cmake", "ninja": "ninja-build", "make": "make",
    "swig": "swig", "gfortran": "gfortran", "git": "git", "cargo": "cargo", "rustc": "rustc",
    "mpicc": "libopenmpi-dev", "autoreconf": "autoconf", "libtool": "libtool", "flex": "flex",
    "bison": "bison", "nvcc": "nvidia-cuda-toolkit",
}  # fmt: skip

PKG_CONFIG = {
    "libffi": "libffi-dev", "libxml-2.0": "libxml2-dev", "libxslt": "libxslt1-dev",
    "openssl": "libssl-dev", "zlib": "zlib1g-dev", "libpq": "libpq-dev",
    "mysqlclient": "default-libmysqlclient-dev", "mariadb": "libmariadb-dev",
    "libmariadb": "libmariadb-dev", "cairo": "libcairo2-dev", "pangocairo": "libpango1.0-dev",
    "glib-2.0": "libglib2.0-dev", "gobject-introspection-1.0": "libgirepository1.0-dev",
    "dbus-1": "libdbus-1-dev", "hdf5": "libhdf5-dev", "libcurl": "libcurl4-openssl-dev",
    "freetype2": "libfreetype-dev", "libpng": "libpng-dev", "libjpeg": "libjpeg-dev",
    "libavformat": "libavformat-dev", "libavdevice": "libavdevice-dev", "xmlsec1": "libxmlsec1-dev",
    "openblas": "libopenblas-dev", "lapack": "liblapack-dev", "proj": "libproj-dev",
    "libsystemd": "libsystemd-dev", "libzmq": "libzmq3-dev", "libarchive": "libarchive-dev",
}  # fmt: skip

LIBRARIES = {
    "pq": "libpq-dev", "ffi": "libffi-dev", "z": "zlib1g-dev", "ssl": "libssl-dev",
    "crypto": "libssl-dev", "xml2": "libxml2-dev", "xslt": "libxslt1-dev", "bz2": "libbz2-dev",
    "lzma": "liblzma-dev", "sqlite3": "libsqlite3-dev", "ldap": "libldap2-dev",
    "lber": "libldap2-dev", "sasl2": "libsasl2-dev", "curl": "libcurl4-openssl-dev",
    "blas": "libblas-dev", "openblas": "libopenblas-dev", "lapack": "liblapack-dev",
    "gmp": "libgmp-dev", "hdf5": "libhdf5-dev", "odbc": "unixodbc-dev", "yaml": "libyaml-dev",
    "gfortran": "gfortran", "jpeg": "libjpeg-dev", "png": "libpng-dev",
}  # fmt: skip

_HEADER = re.compile(r"fatal error: '?([\w./+-]+)'?(?::| file not found)")
_PROGRAM = re.compile(
    r"(?:^|[\s'\"`(/:])([a-z][\w+]*(?:[-_]config)?)(?:['\"`])?(?: executable)?:? "
    r"(?:(?:command )?not found|failed: No such file or directory)"
)
_PKG_CONFIG = re.compile(
    r"No package '([^']+)' found|Package '?([\w.+-]+)'?,? (?:was not found|required by)|"
    r"Dependency \"?([\w.+-]+)\"? not found"
)
_LIBRARY = re.compile(r"cannot find -l([\w+.-]+)")
_NO_COMPILER = re.compile(
    r"(?:command|executable)?\s*['\"`]?(?:[\w-]*-)?(?:gcc|g\+\+|cc|c\+\+)(?:-\d+)?['\"`]? "
    r"(?:failed: No such file|not found|: not found)|"
    r"(?:gcc|g\+\+|cc|c\+\+): (?:command )?not found|Unknown compiler\(s\)|"
    r"unable to execute '[\w-]*(?:gcc|g\+\+|cc)'|"
    r"No CMAKE_C(?:XX)?_COMPILER could be found"
)


_LONGEST = 400
"""Characters of a line; some scripts print all of theirs in one."""


@dataclass(frozen=True)
class Missing:
    """What a compilation did not find."""

    what: str
    line: str
    """Of the compiler or of the package's own script."""
    apt: tuple[str, ...] = ()
    """Distribution packages that have it; empty where that is not known."""
    compiler: bool = True
    """Whether a compiler has run, so that there is one."""

    @property
    def hint(self) -> str:
        if not self.apt:
            return (
                f"{self.what} comes with a distribution package, mostly one that ends in -dev. "
                "Look for it at packages.debian.org, and add it under `apt:`; or choose a version "
                "of the Python package that has a wheel."
            )
        needs = "" if self.compiler else f" Compiling needs {' and '.join(COMPILER)}, too."
        return (
            f"Add `apt: [{', '.join(self.apt)}]` for {self.what}, or choose a version that has a "
            f"wheel.{needs}"
        )


def missing(lines: Sequence[str]) -> Missing | None:
    """The first thing that was not found; what is said later mostly follows from it."""
    for line in lines:
        found = _of(line.strip()[:_LONGEST])
        if found:
            return found
    return None


def _of(line: str) -> Missing | None:
    header = _HEADER.search(line)
    if header:
        return Missing(header[1], line, _package(HEADERS, _header_keys(header[1])))
    if _NO_COMPILER.search(line):
        return Missing("a compiler", line, COMPILER)
    library = _LIBRARY.search(line)
    if library:
        return Missing(f"the library {library[1]}", line, _package(LIBRARIES, [library[1]]))
    module = _PKG_CONFIG.search(line)
    if module:
        name = next(group for group in module.groups() if group)
        return Missing(name, line, _package(PKG_CONFIG, [name]), compiler=False)
    program = _PROGRAM.search(line)
    if program and program[1] in PROGRAMS:
        return Missing(program[1], line, (PROGRAMS[program[1]],), compiler=False)
    return None


def _header_keys(header: str) -> list[str]:
    """The header itself, the folder it is in, and its last part."""
    folder, slash, _ = header.partition("/")
    return [header, folder + slash, header.rpartition("/")[2]]


def _package(table: dict[str, str], keys: Sequence[str]) -> tuple[str, ...]:
    return next(((table[key],) for key in keys if key in table), ())
