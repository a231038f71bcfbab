# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# distutils: extra_compile_args = -O2 -ffp-contract=off
"""The compiled form of `record_format`: writes the records of a batch into one buffer.

`record_format` formats an exchange with a rare value: text that is not ASCII, a number beyond 64 bits, NaN, a time of
more than 31 years, a subclass of str, int or float. So both forms return the same bytes for every exchange.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.float cimport PyFloat_CheckExact
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.unicode cimport PyUnicode_1BYTE_DATA, PyUnicode_CheckExact, PyUnicode_GET_LENGTH
from libc.math cimport fabs, floor, fma, signbit
from libc.string cimport memcpy

from relay.infra.records.record_format import format_records as format_rare

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)

cdef enum:
    TEXTS = 11
    NUMBERS = 6
    REST_SIZE = 1024  # more than names, punctuation and 13 numbers of at most 21 characters

cdef double LIMIT = 1e12  # in milliseconds, as all times; thousandths of these are exact in 64 bits

cdef struct Buffer:
    char* start
    Py_ssize_t used
    Py_ssize_t size


def format_records(exchanges):
    """Returns one line of JSON for each exchange."""
    cdef Buffer buffer
    buffer.start, buffer.used, buffer.size = NULL, 0, 0
    try:
        for exchange in exchanges:
            if not append_record(&buffer, exchange):
                append_bytes(&buffer, format_rare((exchange,)))
        return PyBytes_FromStringAndSize(buffer.start, buffer.used)
    finally:
        PyMem_Free(buffer.start)


cdef bint append_record(Buffer* buffer, e) except -1:
    """Appends a record. Returns False, and appends nothing, for an exchange with a rare value."""
    cdef Py_ssize_t size
    cdef long long numbers[NUMBERS]
    cdef double received, total, upstream, ended, first = 0.0
    texts = (
        e.tran_id, e.operator, e.client_id, e.provider, e.industry, e.api_code, e.api_type,
        e.rsp_code, e.error, e.reason, e.detail,
    )
    if not measure_texts(texts, &size):
        return False
    if not read_numbers((e.status, e.provider_status, e.attempts, e.bytes_in, e.bytes_out, e.repeated), numbers):
        return False
    times = (e.received, e.total, e.upstream, e.first_byte, e.provider_started)
    for time in times:
        if not PyFloat_CheckExact(time):
            return False
    received, total, upstream = times[0], times[1], times[2]
    if <double>times[3] != 0.0:
        first = (<double>times[3] - <double>times[4]) * 1000
    ended = (received + total) * 1000
    if not (
        0.0 <= ended < LIMIT * 1000
        and fabs(received) < LIMIT
        and fabs(total * 1000) < LIMIT
        and fabs(upstream * 1000) < LIMIT
        and fabs((total - upstream) * 1000) < LIMIT
        and fabs(first) < LIMIT
    ):
        return False
    reserve(buffer, size + REST_SIZE)
    cdef char* start = buffer.start + buffer.used
    cdef char* at = start
    at = write_thousandths(write(at, b'{"time":', 8), received)
    at = write_whole_thousandths(write(at, b',"ended":', 9), <long long>ended)
    at = write_text(write(at, b',"tran_id":"', 12), texts[0])
    at = write_text(write(at, b'","operator":"', 14), texts[1])
    at = write_text(write(at, b'","client_id":"', 15), texts[2])
    at = write_text(write(at, b'","org_code":"', 14), texts[3])
    at = write_text(write(at, b'","industry":"', 14), texts[4])
    at = write_text(write(at, b'","api_code":"', 14), texts[5])
    at = write_text(write(at, b'","api_type":"', 14), texts[6])
    at = write_number(write(at, b'","status":', 11), numbers[0])
    at = write_text(write(at, b',"rsp_code":"', 13), texts[7])
    at = write_text(write(at, b'","error":"', 11), texts[8])
    at = write_text(write(at, b'","reason":"', 12), texts[9])
    at = write_text(write(at, b'","detail":"', 12), texts[10])
    at = write_number(write(at, b'","provider_status":', 20), numbers[1])
    at = write_number(write(at, b',"attempts":', 12), numbers[2])
    at = write_thousandths(write(at, b',"total_ms":', 12), total * 1000)
    at = write_thousandths(write(at, b',"relay_ms":', 12), (total - upstream) * 1000)
    at = write_thousandths(write(at, b',"upstream_ms":', 15), upstream * 1000)
    at = write_thousandths(write(at, b',"first_byte_ms":', 17), first)
    at = write_number(write(at, b',"bytes_in":', 12), numbers[3])
    at = write_number(write(at, b',"bytes_out":', 13), numbers[4])
    if numbers[5] > 1:
        at = write_number(write(at, b',"repeated":', 12), numbers[5])
    at = write(at, b'}\n', 2)
    buffer.used += at - start
    return True


cdef bint measure_texts(tuple texts, Py_ssize_t* size) except -1:
    """Sets the total length. Returns False if a text is not exactly a str of ASCII."""
    size[0] = 0
    for text in texts:
        if not PyUnicode_CheckExact(text) or not PyUnicode_IS_COMPACT_ASCII(text):
            return False
        size[0] += PyUnicode_GET_LENGTH(text)
    return True


cdef bint read_numbers(tuple values, long long* numbers) except -1:
    """Sets the numbers. Returns False if one is not exactly an int of 64 bits."""
    cdef int overflow = 0
    cdef int index = 0
    for value in values:
        if not PyLong_CheckExact(value):
            return False
        numbers[index] = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow:
            return False
        index += 1
    return True


cdef int reserve(Buffer* buffer, Py_ssize_t size) except -1:
    """Makes room for `size` more bytes."""
    if buffer.size - buffer.used < size:
        buffer.size = 2 * buffer.size + size
        start = <char*>PyMem_Realloc(buffer.start, buffer.size)
        if start == NULL:
            raise MemoryError
        buffer.start = start
    return 0


cdef int append_bytes(Buffer* buffer, bytes text) except -1:
    reserve(buffer, len(text))
    write(buffer.start + buffer.used, text, len(text))
    buffer.used += len(text)
    return 0


cdef inline char* write(char* at, const char* data, Py_ssize_t size) noexcept:
    memcpy(at, data, size)
    return at + size


cdef inline char* write_text(char* at, object text) noexcept:
    return write(at, <const char*>PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text))


cdef inline char* write_number(char* at, long long value) noexcept:
    cdef char digits[20]
    cdef int first = 20
    cdef unsigned long long rest = <unsigned long long>value
    if value < 0:
        at[0] = c'-'
        at += 1
        rest = 0 - rest
    while True:
        first -= 1
        digits[first] = c'0' + <char>(rest % 10)
        rest //= 10
        if rest == 0:
            return write(at, &digits[first], 20 - first)


cdef inline char* write_whole_thousandths(char* at, long long value) noexcept:
    """Writes a number of thousandths, which is not negative, with three decimal places."""
    at = write_number(at, value // 1000)
    at[0] = c'.'
    at[1] = c'0' + <char>(value // 100 % 10)
    at[2] = c'0' + <char>(value // 10 % 10)
    at[3] = c'0' + <char>(value % 10)
    return at + 4


cdef inline char* write_thousandths(char* at, double value) noexcept:
    """Writes a number as f"{value:.3f}" does: the exact binary value is rounded, a half to the even thousandth."""
    cdef double scaled = fabs(value) * 1000
    cdef long long whole = <long long>floor(scaled)
    cdef double beyond_half = scaled - <double>whole - 0.5
    if beyond_half == 0.0:
        beyond_half = fma(fabs(value), 1000.0, -scaled)  # what the product lost by its own rounding
    if beyond_half > 0.0 or (beyond_half == 0.0 and whole % 2 == 1):
        whole += 1
    if signbit(value):
        at[0] = c'-'
        at += 1
    return write_whole_thousandths(at, whole)
