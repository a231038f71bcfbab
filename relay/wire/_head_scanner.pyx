# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Scans heads of HTTP/1.1 messages in one pass. `relay.wire.head_scanner` is the same in pure Python, with the rules.

No pointer passes the end of a head: it is the NUL behind a bytes object, which ends every loop over characters.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_SetItem
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from relay.wire.head_scanner import MAX_LENGTH_DIGITS, SINGLE, USUAL

ctypedef const uint8_t* Chars

cdef enum:
    MAX_NAMES = 64      # bits of Fields.seen
    MAX_NAME_LENGTH = 24

cdef struct Fields:
    uint64_t seen           # a bit for each name of _names
    bint has_host           # with a value
    bint has_upgrade        # with a value
    bint names_upgrade      # as an option of Connection or Proxy-Connection
    bint has_close          # anywhere in Connection
    bint is_chunked         # Transfer-Encoding is `chunked`
    bint has_tab            # behind the value of Transfer-Encoding
    long long length        # Content-Length

cdef tuple _names = (*USUAL, b"upgrade", b"proxy-connection")
cdef Chars _name[MAX_NAMES]
cdef int _next[MAX_NAMES]               # the next name of the same length, or -1
cdef int _first[MAX_NAME_LENGTH + 1]    # the first name of a length, or -1
cdef uint64_t _single = 0
cdef int HOST = _names.index(b"host")
cdef int CONNECTION = _names.index(b"connection")
cdef int PROXY_CONNECTION = _names.index(b"proxy-connection")
cdef int UPGRADE = _names.index(b"upgrade")
cdef int LENGTH = _names.index(b"content-length")
cdef int CODING = _names.index(b"transfer-encoding")
cdef int MAX_DIGITS = MAX_LENGTH_DIGITS

cdef uint8_t TOKEN[256]
cdef uint8_t CONTROL[256]
cdef uint8_t PATH[256]
cdef uint8_t QUERY[256]
cdef uint8_t HEXADECIMAL[256]


cdef void _build_tables():
    """Fills the tables of names and characters."""
    global _single
    cdef int index
    if len(_names) > MAX_NAMES or max(map(len, _names)) > MAX_NAME_LENGTH:
        raise ValueError("too many or too long names")
    if not SINGLE <= set(_names):
        raise ValueError("a single field is no usual field")
    for index in range(MAX_NAME_LENGTH + 1):
        _first[index] = -1
    for index in range(len(_names)):
        name = _names[index]
        _name[index] = <Chars>PyBytes_AS_STRING(name)
        _next[index] = _first[len(name)]
        _first[len(name)] = index
        if name in SINGLE:
            _single |= <uint64_t>1 << index
    letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for index in range(256):
        is_letter = index in letters
        TOKEN[index] = is_letter or index in b"!#$%&'*+-.^`|~"
        CONTROL[index] = index < 32 or index == 127
        PATH[index] = is_letter or index in b"._~/-"
        QUERY[index] = is_letter or index in b"._~!$'()*+,:@/?&=%-"
        HEXADECIMAL[index] = index in b"0123456789ABCDEFabcdef"


_build_tables()


def scan_request(bytes raw not None, Py_ssize_t max_headers):
    """Returns method, target, path, query, headers, length, chunked and close of a request head, or None."""
    cdef Chars start = <Chars>PyBytes_AS_STRING(raw)
    cdef Chars end = start + PyBytes_GET_SIZE(raw)
    cdef Chars target, mark, line_end
    cdef Fields fields
    cdef dict headers
    if end - start > 5 and memcmp(start, b"GET /", 5) == 0:
        target = start + 4
    elif end - start > 6 and memcmp(start, b"POST /", 6) == 0:
        target = start + 5
    else:
        return None
    mark = _skip_path(target)
    line_end = _skip_query(mark + 1) if mark != NULL and mark[0] == c"?" else mark
    if line_end == NULL or end - line_end < 11 or memcmp(line_end, b" HTTP/1.1\r\n", 11) != 0:
        return None
    headers = {}
    if not _scan_fields(line_end + 11, end, max_headers, headers, &fields):
        return None
    if not fields.has_host or (fields.names_upgrade and fields.has_upgrade):
        return None
    if fields.seen >> CODING & 1 and (not fields.is_chunked or fields.has_tab or fields.seen >> LENGTH & 1):
        return None
    is_get = target == start + 4
    if is_get and (fields.length or fields.is_chunked):
        return None
    return (
        "GET" if is_get else "POST",
        PyBytes_FromStringAndSize(<const char*>target, line_end - target),
        PyBytes_FromStringAndSize(<const char*>target, mark - target),
        PyBytes_FromStringAndSize(<const char*>mark + 1, line_end - mark - 1) if mark < line_end else b"",
        headers,
        fields.length,
        fields.is_chunked != 0,
        fields.has_close != 0,
    )


def scan_response(bytes raw not None, Py_ssize_t max_headers):
    """Returns status, headers, length, chunked and close of a response head, or None."""
    cdef Chars start = <Chars>PyBytes_AS_STRING(raw)
    cdef Chars end = start + PyBytes_GET_SIZE(raw)
    cdef Chars line_end
    cdef Fields fields
    cdef dict headers
    cdef int status
    if end - start < 16 or memcmp(start, b"HTTP/1.", 7) != 0 or start[8] != c" ":
        return None
    is_http_1_0 = start[7] == c"0"
    status = _parse_status(start + 9)
    line_end = <Chars>memchr(start + 12, c"\r", end - start - 12)
    if status < 0 or line_end == NULL or not (is_http_1_0 or start[7] == c"1"):
        return None
    if line_end[1] != c"\n" or memchr(start + 12, c"\n", line_end - start - 12) != NULL:
        return None
    headers = {}
    if not _scan_fields(line_end + 2, end, max_headers, headers, &fields):
        return None
    if fields.seen >> CODING & 1:
        if is_http_1_0 or fields.seen >> LENGTH & 1 or not fields.is_chunked:
            return None
        return status, headers, None, True, fields.has_close != 0
    if fields.seen >> LENGTH & 1:
        return status, headers, fields.length, False, is_http_1_0 or fields.has_close != 0
    return status, headers, None, False, True


cdef inline int _parse_status(Chars digits) noexcept:
    """Returns the three digits, or -1. 101 is refused: the relay never asks to switch protocols."""
    cdef int status = 0, index
    for index in range(3):
        if not c"0" <= digits[index] <= c"9":
            return -1
        status = status * 10 + digits[index] - c"0"
    return status if status != 101 and (digits[3] == c" " or digits[3] == c"\r") else -1


cdef inline Chars _skip_path(Chars char) noexcept:
    """Returns the end of the path, or NULL for empty and dot segments."""
    while PATH[char[0]]:
        if char[0] == c"/" and (char[1] == c"/" or char[1] == c"."):
            return NULL
        char += 1
    return char


cdef inline Chars _skip_query(Chars char) noexcept:
    """Returns the end of the query, or NULL for an invalid percent-encoding."""
    while QUERY[char[0]]:
        if char[0] == c"%":
            if not HEXADECIMAL[char[1]] or not HEXADECIMAL[char[2]] or (char[1] == c"0" and char[2] == c"0"):
                return NULL
        char += 1
    return char


cdef bint _scan_fields(Chars char, Chars end, Py_ssize_t max_headers, dict headers, Fields* fields) except -1:
    """Adds the fields from `char` to the empty line, which must be at `end`. Returns False for a refused head."""
    cdef Chars name, name_end, value, value_end
    cdef int known
    memset(fields, 0, sizeof(Fields))
    while char[0] != c"\r":
        name = char
        while TOKEN[char[0]]:
            char += 1
        name_end = char
        if name_end == name or char[0] != c":" or max_headers == 0:
            return False
        max_headers -= 1
        value = char + 1
        char = value_end = _skip_text(value, end)
        if char[0] != c"\r" or char[1] != c"\n":
            return False
        char += 2
        while value < value_end and _is_blank(value[0]):
            value += 1
        while value < value_end and _is_blank((value_end - 1)[0]):
            value_end -= 1
        known = _find_name(name, name_end - name)
        if known < 0:
            key = PyBytes_FromStringAndSize(<const char*>name, name_end - name).lower()
        else:
            key = <bytes>_names[known]
            if fields.seen & _single & <uint64_t>1 << known or not _note_field(known, value, value_end, char - 2, fields):
                return False
            fields.seen |= <uint64_t>1 << known
        PyDict_SetItem(headers, key, PyBytes_FromStringAndSize(<const char*>value, value_end - value))
    return char[1] == c"\n" and char + 2 == end


cdef inline bint _is_blank(uint8_t char) noexcept:
    return char == c" " or char == c"\t"


cdef inline int _find_name(Chars name, Py_ssize_t length) noexcept:
    """Returns the index of a usual name in any spelling, or -1. The bit 0x20 makes letters of a token lower case."""
    cdef Py_ssize_t index
    cdef int known
    if length > MAX_NAME_LENGTH:
        return -1
    known = _first[length]
    while known >= 0:
        index = 0
        while index < length and name[index] | 0x20 == _name[known][index]:
            index += 1
        if index == length:
            return known
        known = _next[known]
    return -1


cdef inline Chars _skip_text(Chars char, Chars end) noexcept:
    """Returns the first control character that is no tab, at `end` at the latest.

    PERF: eight characters at once: a third of the instructions of a table for each.
    """
    cdef uint64_t word, other
    while True:
        while end - char >= 8:
            memcpy(&word, char, 8)
            other = word ^ 0x7F7F7F7F7F7F7F7FULL
            if ((word - 0x2020202020202020ULL) & ~word | (other - 0x0101010101010101ULL) & ~other) & 0x8080808080808080ULL:
                break
            char += 8
        while not CONTROL[char[0]]:
            char += 1
        if char[0] != c"\t":
            return char
        char += 1


cdef bint _note_field(int known, Chars value, Chars value_end, Chars line_end, Fields* fields) noexcept:
    """Notes what a field says about the message. Returns False for a Content-Length that is no length."""
    if known == HOST:
        fields.has_host = value < value_end
    elif known == CONNECTION:
        fields.has_close = _contains_close(value, value_end)
        fields.names_upgrade |= _has_option_upgrade(value, value_end)
    elif known == PROXY_CONNECTION:
        fields.names_upgrade |= _has_option_upgrade(value, value_end)
    elif known == UPGRADE:
        fields.has_upgrade |= value < value_end
    elif known == CODING:
        fields.is_chunked = value_end - value == 7 and _is_word(value, b"chunked", 7)
        fields.has_tab = memchr(value_end, c"\t", line_end - value_end) != NULL
    elif known == LENGTH:
        if value == value_end or value_end - value > MAX_DIGITS:
            return False
        while value < value_end:
            if not c"0" <= value[0] <= c"9":
                return False
            fields.length = fields.length * 10 + value[0] - c"0"
            value += 1
    return True


cdef inline bint _is_word(Chars char, const char* word, Py_ssize_t length) noexcept:
    """Tells whether the next characters are this lower-case word in any spelling. `length` of them must exist."""
    cdef Py_ssize_t index
    for index in range(length):
        if char[index] | 0x20 != <uint8_t>word[index]:
            return False
    return True


cdef bint _contains_close(Chars char, Chars end) noexcept:
    while end - char >= 5:
        if _is_word(char, b"close", 5):
            return True
        char += 1
    return False


cdef bint _has_option_upgrade(Chars char, Chars end) noexcept:
    """Tells whether `upgrade` is an element of this list of options."""
    cdef Chars option_end
    while char < end:
        while char < end and _is_blank(char[0]):
            char += 1
        option_end = char
        while option_end < end and option_end[0] != c",":
            option_end += 1
        if option_end - char >= 7 and _is_word(char, b"upgrade", 7):
            char += 7
            while char < option_end and _is_blank(char[0]):
                char += 1
            if char == option_end:
                return True
        char = option_end + 1
    return False
