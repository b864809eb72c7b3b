/* The way in: `Entrance.enter` and `Express.filter` for a plain request. */
#include "lane.h"
#include <string.h>

enum { MOST_COOKIES = 64, DROP = 1 << 20, FULL = 1 << 30 };

/* What one pass over the headers of a request finds. Borrowed. */
typedef struct {
    PyObject *headers, *cookie, *coding;
} Found;

static int
look_at_headers(PyObject *scope, PyObject *meanings, PyObject *referrers, Found *found)
{
    PyObject *headers = PyDict_GetItemWithError(scope, str_headers);
    if (!headers || !PyList_CheckExact(headers)) {
        return PyErr_Occurred() ? -1 : ODD;
    }
    found->headers = headers;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++) {
        PyObject *pair = PyList_GET_ITEM(headers, i);
        if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2 || !PyBytes_CheckExact(PyTuple_GET_ITEM(pair, 0))
            || !PyBytes_CheckExact(PyTuple_GET_ITEM(pair, 1))) {
            return ODD;
        }
        long kind = table_code(meanings, PyTuple_GET_ITEM(pair, 0));
        if (kind < 0) {
            return -1;
        }
        if (kind == 0) {
            continue;
        }
        PyObject *value = PyTuple_GET_ITEM(pair, 1);
        if (kind == COOKIE && !found->cookie) {
            found->cookie = pair;
        }
        else if (kind == ENCODING && !found->coding) {
            found->coding = pair;
        }
        else if (kind == REFERRER) {
            long more = table_code(referrers, value);
            if (more) {
                return more < 0 ? -1 : ODD;
            }
        }
        else if (kind != LENGTH || PyBytes_GET_SIZE(value) != 1 || PyBytes_AS_STRING(value)[0] != '0') {
            return ODD;
        }
    }
    return PLAIN;
}

static int
is_given(PyObject *scope, PyObject *key)
{
    PyObject *value = PyDict_GetItemWithError(scope, key);
    return value ? PyObject_IsTrue(value) : PyErr_Occurred() ? -1 : 0;
}

/* Return the entry of a request; NULL without an error where there is none. A new reference. */
static PyObject *
entry_of(PyObject *self, PyObject *scope, PyObject *method)
{
    PyObject *exact = SLOT(self, entrance_, ENTRANCE_EXACT);
    PyObject *path = PyDict_GetItemWithError(scope, str_path);
    int mounted = path ? is_given(scope, str_root_path) : -1;
    if (mounted < 0) {
        return NULL;
    }
    if (PyDict_CheckExact(exact) && !mounted) {
        PyObject *key = PyTuple_Pack(2, method, path);
        PyObject *found = key ? PyDict_GetItemWithError(exact, key) : NULL;
        Py_XDECREF(key);
        if (found || PyErr_Occurred()) {
            return Py_XNewRef(found);
        }
    }
    PyObject *found = PyObject_CallMethodOneArg(self, str__entry, scope);
    if (found == Py_None) {
        Py_CLEAR(found);
    }
    return found;
}

/* Whether the ledger is as it was then; -1 is an error. */
static int
is_generation(PyObject *self, PyObject *then)
{
    PyObject *mapped = SLOT(self, entrance_, ENTRANCE_VIEW);
    if (mapped == Py_None) {
        PyObject *now = PyObject_CallNoArgs(SLOT(self, entrance_, ENTRANCE_READ));
        int same = now ? PyObject_RichCompareBool(now, then, Py_EQ) : -1;
        Py_XDECREF(now);
        return same;
    }
    Py_buffer view;
    if (PyObject_GetBuffer(mapped, &view, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    unsigned long long now = *(volatile unsigned long long *)view.buf;
    PyBuffer_Release(&view);
    unsigned long long known = PyLong_AsUnsignedLongLong(then);
    return PyErr_Occurred() ? -1 : known == now;
}

/* Return who brings a `Cookie` header, borrowed; NULL without an error where that has to be read with care. */
static PyObject *
visitor_of(PyObject *self, PyObject *cookie, PyObject *nobody, double seconds)
{
    const char *text = PyBytes_AS_STRING(cookie), *end = text + PyBytes_GET_SIZE(cookie);
    const char *prefix = PyBytes_AS_STRING(the_consent_prefix);
    Py_ssize_t length = PyBytes_GET_SIZE(the_consent_prefix);
    const char *at = find_bytes(text, end - text, prefix, length);
    if (!at) {
        return nobody;
    }
    const char *value = at + length, *stop = memchr(value, ';', end - value);
    stop = stop ? stop : end;
    if ((at > text && (at - text < 2 || memcmp(at - 2, "; ", 2))) || find_bytes(at + 1, end - at - 1, prefix, length)) {
        return NULL;
    }
    PyObject *young = PyObject_GetAttr(SLOT(self, entrance_, ENTRANCE_KNOWN), str__young);
    PyObject *raw = young ? PyBytes_FromStringAndSize(value, stop - value) : NULL;
    PyObject *visitor = raw ? PyDict_GetItemWithError(young, raw) : NULL;  /* the visitors keep it, as long as we run */
    Py_XDECREF(raw);
    Py_XDECREF(young);
    if (!visitor || Py_TYPE(visitor) != visitor_.type
        || SLOT(visitor, visitor_, VISITOR_SITE) != SLOT(nobody, visitor_, VISITOR_SITE)
        || !within(SLOT(visitor, visitor_, VISITOR_SINCE), SLOT(visitor, visitor_, VISITOR_UNTIL), seconds)) {
        return NULL;
    }
    PyObject *then = SLOT(visitor, visitor_, VISITOR_GENERATION);
    return is_generation(self, then) == 1 ? visitor : NULL;
}

/* Return the lane of a request, borrowed; NULL without an error where it has none yet, or may have none. */
static PyObject *
lane_of(PyObject *scope, PyObject *entry, PyObject *visitor, PyObject *method, double seconds)
{
    PyObject *scheme = PyDict_GetItemWithError(scope, str_scheme);
    if (!scheme || (scheme != str_https && PyUnicode_Compare(scheme, str_https) != 0)) {
        return NULL;
    }
    PyObject *key = Py_NewRef(SLOT(visitor, visitor_, VISITOR_STANDING));
    PyObject *own = SLOT(entry, entry_, ENTRY_METHOD);
    int same = method == own ? 1 : PyObject_RichCompareBool(method, own, Py_EQ);
    if (same == 0) {
        Py_SETREF(key, PyTuple_Pack(5, key, the_no_signals, str_https, Py_True, method));
    }
    PyObject *lane = same < 0 || !key ? NULL : PyDict_GetItemWithError(SLOT(entry, entry_, ENTRY_LANES), key);
    Py_XDECREF(key);
    if (!lane || Py_TYPE(lane) != lane_.type
        || !within(SLOT(lane, lane_, LANE_SINCE), SLOT(lane, lane_, LANE_UNTIL), seconds)) {
        return NULL;
    }
    return lane;
}

/* What becomes of the cookies of one header. */
typedef struct {
    PyObject *kept;  /* the header that stays, or NULL where nothing goes */
    PyObject *told;  /* codes of those of which something is told */
} Sorted;

static PyObject *
tuple_of(long *codes, int count)
{
    for (int i = 1; i < count; i++) {
        long code = codes[i];
        int j = i;
        for (; j > 0 && codes[j - 1] > code; j--) {
            codes[j] = codes[j - 1];
        }
        codes[j] = code;
    }
    PyObject *made = PyTuple_New(count);
    for (int i = 0; made && i < count; i++) {
        PyObject *code = PyLong_FromLong(codes[i]);
        if (!code) {
            Py_CLEAR(made);
            break;
        }
        PyTuple_SET_ITEM(made, i, code);
    }
    return made;
}

/* Sort one piece: its code, or -1 for an error, or FULL where the exchange has to be judged in full. */
static long
code_of(PyObject *lane, const char *piece, Py_ssize_t size)
{
    const char *equals = memchr(piece, '=', size);
    if (!equals || equals == piece || (unsigned char)piece[0] <= ' ' || (unsigned char)piece[size - 1] <= ' ') {
        return FULL;
    }
    PyObject *name = known_bytes(piece, equals - piece);
    long code = name ? table_code(SLOT(lane, lane_, LANE_CODES), name) : -1;
    Py_XDECREF(name);
    if (code < 0 || code >= DROP) {
        return code;
    }
    int quiet = is_quiet(SLOT(lane, lane_, LANE_VALUES), piece, size);
    return quiet < 0 ? -1 : quiet ? code : FULL;
}

static PyObject *
joined(const char **pieces, Py_ssize_t *sizes, long *codes, int count)
{
    Py_ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        total += codes[i] < DROP ? sizes[i] + 2 : 0;
    }
    PyObject *made = PyBytes_FromStringAndSize(NULL, total ? total - 2 : 0);
    char *to = made ? PyBytes_AS_STRING(made) : NULL, *start = to;
    for (int i = 0; made && i < count; i++) {
        if (codes[i] >= DROP) {
            continue;
        }
        if (to != start) {
            *to++ = ';';
            *to++ = ' ';
        }
        memcpy(to, pieces[i], sizes[i]);
        to += sizes[i];
    }
    return made;
}

static int
sort(PyObject *lane, PyObject *cookie, Sorted *sorted)
{
    const char *pieces[MOST_COOKIES];
    Py_ssize_t sizes[MOST_COOKIES];
    long codes[MOST_COOKIES], told[MOST_COOKIES];
    int count = 0, tells = 0, drops = 0;
    const char *at = PyBytes_AS_STRING(cookie), *end = at + PyBytes_GET_SIZE(cookie);
    for (;;) {
        const char *stop = memchr(at, ';', end - at);
        if (count == MOST_COOKIES || (stop && (stop + 1 >= end || stop[1] != ' '))) {
            return ODD;
        }
        pieces[count] = at;
        sizes[count] = (stop ? stop : end) - at;
        long code = sizes[count] ? code_of(lane, at, sizes[count]) : FULL;
        if (code < 0 || code >= FULL) {
            return code < 0 ? -1 : ODD;
        }
        codes[count++] = code;
        if (code) {
            told[tells++] = code;
            drops += code >= DROP;
        }
        if (!stop) {
            break;
        }
        at = stop + 2;
    }
    sorted->told = tells ? tuple_of(told, tells) : Py_NewRef(the_empty_tuple);
    sorted->kept = drops && sorted->told ? joined(pieces, sizes, codes, count) : NULL;
    return !sorted->told || (drops && !sorted->kept) ? -1 : PLAIN;
}

static int
replace(PyObject *headers, Py_ssize_t at, PyObject *value)
{
    PyObject *pair = PyTuple_Pack(2, PyTuple_GET_ITEM(PyList_GET_ITEM(headers, at), 0), value);
    return pair ? PyList_SetItem(headers, at, pair) : -1;
}

/* Return the headers with another cookie header and coding (NULL: as it was; empty cookie header: none). */
static PyObject *
changed(Found *found, PyObject *kept, PyObject *asked)
{
    Py_ssize_t size = PyList_GET_SIZE(found->headers);
    PyObject *made = PyList_GetSlice(found->headers, 0, size);
    int failed = made ? 0 : -1;
    for (Py_ssize_t i = size - 1; !failed && i >= 0; i--) {
        PyObject *pair = PyList_GET_ITEM(found->headers, i);
        if (pair == found->coding && asked) {
            failed = replace(made, i, asked);
        }
        else if (pair == found->cookie && kept) {
            failed = PyBytes_GET_SIZE(kept) ? replace(made, i, kept) : PyList_SetSlice(made, i, i + 1, NULL);
        }
    }
    if (failed) {
        Py_CLEAR(made);
    }
    return made;
}

/* `Express.filter`: take withheld cookies and codings out of the request. */
static int
filter(PyObject *express, PyObject *lane, PyObject *scope, Found *found)
{
    PyObject *asked = NULL;
    Sorted sorted = {NULL, NULL};
    int odd = PLAIN;
    if (SLOT(lane, lane_, LANE_READS) == Py_True) {
        odd = is_given(scope, str_extensions);
        if (!odd && found->coding) {
            asked = table_get(the_readable, PyTuple_GET_ITEM(found->coding, 1));
            odd = asked ? PLAIN : -1;
            if (asked == Py_None) {
                Py_CLEAR(asked);
            }
        }
    }
    PyObject *value = found->cookie ? PyTuple_GET_ITEM(found->cookie, 1) : NULL;
    if (!odd && value && PyBytes_GET_SIZE(value)) {
        odd = sort(lane, value, &sorted);
        if (!odd) {
            Py_SETREF(SLOT(express, express_, EXPRESS_COOKIE), Py_NewRef(value));
            Py_SETREF(SLOT(express, express_, EXPRESS_TOLD), Py_NewRef(sorted.told));
        }
    }
    if (!odd && (asked || sorted.kept)) {
        PyObject *headers = changed(found, sorted.kept, asked);
        PyObject *made = headers ? copied_with(scope, str_headers, headers) : NULL;
        Py_XDECREF(headers);
        odd = made ? PLAIN : -1;
        if (made) {
            Py_SETREF(SLOT(express, express_, EXPRESS_SCOPE), made);
        }
    }
    Py_XDECREF(asked);
    Py_XDECREF(sorted.kept);
    Py_XDECREF(sorted.told);
    return odd;
}

static PyObject *
made_express(PyObject *lane, PyObject *visitor, PyObject *scope, PyObject *receive, PyObject *sender)
{
    PyObject *made = express_.type->tp_alloc(express_.type, 0);
    if (made) {
        PyObject *values[] = {
            lane, visitor, scope, scope, receive, sender, zero_bytes, the_empty_tuple, Py_None, Py_None, Py_False,
        };
        for (int i = 0; i <= EXPRESS_PASSING; i++) {
            SLOT(made, express_, i) = Py_NewRef(values[i]);
        }
    }
    return made;
}

/* Put a plain request on its lane; NULL without an error where the Python way has to look. */
static PyObject *
entered(PyObject *self, PyObject *scope, PyObject *receive, PyObject *sender)
{
    Found found = {NULL, NULL, NULL};
    if (Py_TYPE(self) != entrance_.type || !PyDict_CheckExact(scope) || is_given(scope, str_query_string)
        || SLOT(self, entrance_, ENTRANCE_OPEN) != Py_True
        || look_at_headers(scope, SLOT(self, entrance_, ENTRANCE_MEANINGS), SLOT(self, entrance_, ENTRANCE_REFERRERS),
                           &found)) {
        return NULL;
    }
    PyObject *method = PyDict_GetItemWithError(scope, str_method);
    PyObject *entry = method ? entry_of(self, scope, method) : NULL;
    if (!entry || Py_TYPE(entry) != entry_.type) {
        Py_XDECREF(entry);
        return NULL;
    }
    PyObject *express = NULL;
    double seconds = seconds_of(SLOT(self, entrance_, ENTRANCE_SECONDS));
    PyObject *nobody = SLOT(entry, entry_, ENTRY_NOBODY), *visitor = nobody, *lane = NULL;
    if (!PyErr_Occurred() && found.cookie && PyBytes_GET_SIZE(PyTuple_GET_ITEM(found.cookie, 1))) {
        visitor = visitor_of(self, PyTuple_GET_ITEM(found.cookie, 1), nobody, seconds);
    }
    if (visitor && !PyErr_Occurred()) {
        lane = lane_of(scope, entry, visitor, method, seconds);
    }
    if (lane) {
        Py_INCREF(lane);
        express = made_express(lane, visitor, scope, receive, sender);
        if (express && (found.cookie || SLOT(lane, lane_, LANE_READS) == Py_True)
            && filter(express, lane, scope, &found)) {
            Py_CLEAR(express);
        }
        Py_DECREF(lane);
    }
    Py_DECREF(entry);
    return express;
}

PyObject *
lane_enter(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "enter takes an entrance, scope, receive and send");
        return NULL;
    }
    PyObject *express = entered(args[0], args[1], args[2], args[3]);
    if (express || PyErr_Occurred()) {
        return express;
    }
    return PyObject_CallMethodObjArgs(args[0], str_enter_plain, args[1], args[2], args[3], NULL);
}
