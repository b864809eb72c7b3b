/* Small things that all parts share: names that come again, tables that learn, values that hold nothing. */
#include "lane.h"
#include <string.h>
#include <time.h>

#if PY_VERSION_HEX >= 0x030e0000
#define HASH(text, size) Py_HashBuffer(text, size)
#else
#define HASH(text, size) _Py_HashBytes(text, size)
#endif

/* Names come again with every request. Those met lately are kept with their hash, so that none is made anew. */
enum { KEPT = 1024, LONGEST_KEPT = 48 };
static PyObject *kept_bytes[KEPT], *kept_text[KEPT];

static unsigned
place_of(const char *text, Py_ssize_t size)
{
    unsigned hash = 2166136261u;
    for (Py_ssize_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    }
    return (hash ^ (hash >> 15)) % KEPT;
}

/* Return a bytes object with this content. */
PyObject *
known_bytes(const char *text, Py_ssize_t size)
{
    if (size > LONGEST_KEPT) {
        return PyBytes_FromStringAndSize(text, size);
    }
    PyObject **slot = &kept_bytes[place_of(text, size)];
    if (*slot && PyBytes_GET_SIZE(*slot) == size && !memcmp(PyBytes_AS_STRING(*slot), text, size)) {
        return Py_NewRef(*slot);
    }
    PyObject *made = PyBytes_FromStringAndSize(text, size);
    if (made) {
        Py_XSETREF(*slot, Py_NewRef(made));
    }
    return made;
}

/* Return a str with this content, which is ASCII. */
PyObject *
known_text(const char *text, Py_ssize_t size)
{
    if (size > LONGEST_KEPT) {
        return PyUnicode_DecodeASCII(text, size, NULL);
    }
    PyObject **slot = &kept_text[place_of(text, size)];
    if (*slot && PyUnicode_GET_LENGTH(*slot) == size && !memcmp(PyUnicode_1BYTE_DATA(*slot), text, size)) {
        return Py_NewRef(*slot);
    }
    PyObject *made = PyUnicode_DecodeASCII(text, size, NULL);
    if (made) {
        Py_XSETREF(*slot, Py_NewRef(made));
    }
    return made;
}

/* Return what a table says of a key; one that is new is asked of the table's own `__missing__`. A new reference. */
PyObject *
table_get(PyObject *table, PyObject *key)
{
    PyObject *found = PyDict_GetItemWithError(table, key);
    if (found) {
        return Py_NewRef(found);
    }
    return PyErr_Occurred() ? NULL : PyObject_GetItem(table, key);
}

/* The same for a table of small numbers; -1 is an error. */
long
table_code(PyObject *table, PyObject *key)
{
    PyObject *found = PyDict_GetItemWithError(table, key);  /* borrowed: the table keeps it */
    if (found) {
        return found == the_zero ? 0 : PyLong_AsLong(found);
    }
    found = PyErr_Occurred() ? NULL : PyObject_GetItem(table, key);
    long code = found ? PyLong_AsLong(found) : -1;
    Py_XDECREF(found);
    return code;
}

/* Say whether a piece (``name=value``) holds nothing, as `Quiet.quiet` does; -1 is an error. */
int
is_quiet(PyObject *values, const char *piece, Py_ssize_t size)
{
    enum { MASK = (1 << 16) - 1, ROW = 8, SHORTEST_CARD = 13 };
    const char *equals = memchr(piece, '=', size);
    const char *value = equals ? equals + 1 : piece;
    Py_ssize_t length = piece + size - value, digits = 0;
    if (length < SHORTEST_CARD && SLOT(values, quiet_, QUIET_SHORTCUT) == Py_True) {
        while (digits < length && value[digits] >= '0' && value[digits] <= '9') {
            digits++;
        }
        if (digits == length) {
            return 1;
        }
    }
    Py_buffer slots;
    if (PyObject_GetBuffer(SLOT(values, quiet_, QUIET_SLOTS), &slots, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    Py_hash_t digest = HASH(piece, size);
    const long long *row = (const long long *)slots.buf + (digest & MASK & -ROW);
    int found = 0;
    if (slots.len == (MASK + 1) * (Py_ssize_t)sizeof(long long)) {
        for (int i = 0; i < ROW; i++) {
            found |= row[i] == (long long)digest;
        }
    }
    PyBuffer_Release(&slots);
    if (found) {
        return 1;
    }
    PyObject *object = PyBytes_FromStringAndSize(piece, size);
    PyObject *answer = object ? PyObject_CallMethodOneArg(values, str_quiet, object) : NULL;
    Py_XDECREF(object);
    if (!answer) {
        return -1;
    }
    found = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return found;
}

/* Return the seconds of Unix time that a clock gives. May leave an error. */
double
seconds_of(PyObject *clock)
{
    struct timespec now;
    if (clock == the_time && !clock_gettime(CLOCK_REALTIME, &now)) {  /* what `time.time` does, without an object */
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }
    PyObject *told = PyObject_CallNoArgs(clock);
    double seconds = told ? PyFloat_AsDouble(told) : 0;
    Py_XDECREF(told);
    return seconds;
}

/* Say whether a moment stands in a window of two floats. */
int
within(PyObject *since, PyObject *until, double seconds)
{
    return PyFloat_Check(since) && PyFloat_Check(until) && PyFloat_AS_DOUBLE(since) <= seconds
           && seconds < PyFloat_AS_DOUBLE(until);
}

/* Return where `what` stands first, or NULL. */
const char *
find_bytes(const char *text, Py_ssize_t size, const char *what, Py_ssize_t length)
{
    const char *end = text + size - length;
    while (text <= end && (text = memchr(text, what[0], end - text + 1))) {
        if (!memcmp(text, what, length)) {
            return text;
        }
        text++;
    }
    return NULL;
}

/* Return a copy of a map with one value changed. */
PyObject *
copied_with(PyObject *map, PyObject *key, PyObject *value)
{
    PyObject *copy = PyDict_Copy(map);
    if (copy && PyDict_SetItem(copy, key, value) < 0) {
        Py_CLEAR(copy);
    }
    return copy;
}
