/* The way out: `Express.send` for a plain response. */
#include "lane.h"
#include <string.h>

enum { LONGEST_LENGTH = 19 };

static int
is_length(PyObject *value)
{
    Py_ssize_t size = PyBytes_GET_SIZE(value);
    const char *text = PyBytes_AS_STRING(value);
    for (Py_ssize_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }
    }
    return size > 0 && size < LONGEST_LENGTH;
}

/* `Lane.look`: say what kind of response begins; 0 where the Python way has to look, -1 for an error. */
static long
look(PyObject *lane, PyObject *headers, long status)
{
    if (!headers || !PyList_CheckExact(headers) || status < 200 || status == 204 || status == 205 || status == 304) {
        return PyErr_Occurred() ? -1 : 0;
    }
    long content = 0, cookies = 0;
    int length = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++) {
        PyObject *pair = PyList_GET_ITEM(headers, i);
        if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2 || !PyBytes_CheckExact(PyTuple_GET_ITEM(pair, 0))
            || !PyBytes_CheckExact(PyTuple_GET_ITEM(pair, 1))) {
            return 0;
        }
        PyObject *value = PyTuple_GET_ITEM(pair, 1);
        long kind = table_code(SLOT(lane, lane_, LANE_RESPONSE), PyTuple_GET_ITEM(pair, 0));
        if (kind == TYPE && !content) {
            content = table_code(the_contents, value);
        }
        else if (kind == BODY_LENGTH && !length && is_length(value)) {
            length = 1;
        }
        else if (kind == SET_COOKIE) {
            cookies = SETS_COOKIES;
        }
        else if (kind) {
            return kind < 0 ? -1 : 0;
        }
        if (content < 0) {
            return -1;
        }
    }
    if (content == KIND_HELD && SLOT(lane, lane_, LANE_SHAPES) == Py_None) {
        content = KIND_PLAIN;
    }
    return length ? cookies | (content ? content : KIND_PLAIN) : 0;
}

/* What becomes of the cookies that a response sets. */
typedef struct {
    PyObject *headers;  /* as they go out */
    PyObject *told;     /* the verdicts of which something is told */
    PyObject *depends;
} Filtered;

/* Return the verdict on a header by its attributes, borrowed; NULL without an error where there is none yet. */
static PyObject *
by_attributes(PyObject *setter, PyObject *name, PyObject *value, Py_ssize_t head, PyObject *cookie)
{
    const char *text = PyBytes_AS_STRING(cookie), *bare = PyBytes_AS_STRING(name);
    Py_ssize_t size = PyBytes_GET_SIZE(cookie), length = PyBytes_GET_SIZE(name);
    int came = size >= length && !memcmp(text, bare, length);
    for (const char *at = text; !came && (at = find_bytes(at, text + size - at, bare, length)); at++) {
        came = at - text >= 2 && !memcmp(at - 2, "; ", 2);
    }
    PyObject *attributes = known_bytes(PyBytes_AS_STRING(value) + head, PyBytes_GET_SIZE(value) - head);
    PyObject *key = attributes ? PyTuple_Pack(3, name, attributes, came ? Py_True : Py_False) : NULL;
    PyObject *found = key ? PyDict_GetItemWithError(SLOT(setter, setter_, SETTER_BY_ATTRIBUTES), key) : NULL;
    Py_XDECREF(attributes);
    Py_XDECREF(key);
    return found;
}

/* Return the verdict on one `Set-Cookie` header, borrowed, and the length of its name and value. */
static PyObject *
verdict_on(PyObject *setter, PyObject *values, PyObject *value, PyObject *cookie, Py_ssize_t *head)
{
    const char *text = PyBytes_AS_STRING(value), *semicolon = memchr(text, ';', PyBytes_GET_SIZE(value));
    *head = semicolon ? semicolon - text : PyBytes_GET_SIZE(value);
    const char *equals = memchr(text, '=', *head);
    if (!equals || (unsigned char)text[0] <= ' ' || (unsigned char)text[*head - 1] <= ' ') {
        return NULL;
    }
    PyObject *name = known_bytes(text, equals + 1 - text);
    PyObject *verdict = name ? PyDict_GetItemWithError(SLOT(setter, setter_, SETTER_BY_NAME), name) : NULL;
    if (verdict == Py_None) {
        verdict = by_attributes(setter, name, value, *head, cookie);
    }
    Py_XDECREF(name);
    if (!verdict || Py_TYPE(verdict) != verdict_.type) {
        return NULL;
    }
    if (SLOT(verdict, verdict_, VERDICT_READS) == Py_True && is_quiet(values, text, *head) != 1) {
        return NULL;
    }
    return verdict;
}

static PyObject *
with_attributes(PyObject *pair, Py_ssize_t head, PyObject *attributes)
{
    PyObject *value = PyBytes_FromStringAndSize(NULL, head + PyBytes_GET_SIZE(attributes));
    if (!value) {
        return NULL;
    }
    memcpy(PyBytes_AS_STRING(value), PyBytes_AS_STRING(PyTuple_GET_ITEM(pair, 1)), head);
    memcpy(PyBytes_AS_STRING(value) + head, PyBytes_AS_STRING(attributes), PyBytes_GET_SIZE(attributes));
    PyObject *made = PyTuple_Pack(2, PyTuple_GET_ITEM(pair, 0), value);
    Py_DECREF(value);
    return made;
}

/* Judge one header: append it to what goes out, and its verdict to what is told. ODD: the Python way has to look. */
static int
judge(PyObject *setter, PyObject *values, PyObject *pair, PyObject *cookie, Filtered *filtered, int *edited)
{
    Py_ssize_t head;
    PyObject *verdict = verdict_on(setter, values, PyTuple_GET_ITEM(pair, 1), cookie, &head);
    if (!verdict) {
        return PyErr_Occurred() ? -1 : ODD;
    }
    PyObject *attributes = SLOT(verdict, verdict_, VERDICT_ATTRIBUTES);
    int drops = SLOT(verdict, verdict_, VERDICT_DROPS) == Py_True;
    if (SLOT(verdict, verdict_, VERDICT_DEPENDS) == Py_True) {
        filtered->depends = Py_True;
    }
    if (SLOT(verdict, verdict_, VERDICT_TOLD) == Py_True && PyList_Append(filtered->told, verdict) < 0) {
        return -1;
    }
    *edited |= drops || attributes != Py_None;
    if (drops) {
        return PLAIN;
    }
    PyObject *kept = attributes == Py_None ? Py_NewRef(pair) : with_attributes(pair, head, attributes);
    int failed = kept ? PyList_Append(filtered->headers, kept) : -1;
    Py_XDECREF(kept);
    return failed;
}

/* `SetCookies.filter` where everything is known. */
static int
filter_known(PyObject *lane, PyObject *headers, PyObject *cookie, Filtered *filtered)
{
    PyObject *setter = SLOT(lane, lane_, LANE_SET_COOKIES), *values = SLOT(lane, lane_, LANE_VALUES);
    int edited = 0;
    filtered->headers = PyList_New(0);
    filtered->told = PyList_New(0);
    filtered->depends = Py_False;
    if (!filtered->headers || !filtered->told) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++) {
        PyObject *pair = PyList_GET_ITEM(headers, i);
        int equal = PyObject_RichCompareBool(PyTuple_GET_ITEM(pair, 0), the_set_cookie_name, Py_EQ);
        int odd = equal < 0   ? -1
                  : equal     ? judge(setter, values, pair, cookie, filtered, &edited)
                              : PyList_Append(filtered->headers, pair);
        if (odd) {
            return odd;
        }
    }
    Py_SETREF(filtered->told, PyList_AsTuple(filtered->told));
    if (!edited) {
        Py_SETREF(filtered->headers, Py_NewRef(headers));
    }
    return filtered->told ? PLAIN : -1;
}

/* The same, asking Python for what is not known. ODD: the lane has to be left. */
static int
filter_cookies(PyObject *lane, PyObject *headers, PyObject *cookie, Filtered *filtered)
{
    int odd = filter_known(lane, headers, cookie, filtered);
    if (odd != ODD) {
        return odd;
    }
    Py_CLEAR(filtered->headers);
    Py_CLEAR(filtered->told);
    PyObject *setter = SLOT(lane, lane_, LANE_SET_COOKIES);
    PyObject *answer = PyObject_CallMethodObjArgs(setter, str_filter, headers, cookie, NULL);
    if (answer && PyTuple_CheckExact(answer) && PyTuple_GET_SIZE(answer) == 3) {
        filtered->headers = Py_NewRef(PyTuple_GET_ITEM(answer, 0));
        filtered->told = Py_NewRef(PyTuple_GET_ITEM(answer, 1));
        filtered->depends = PyTuple_GET_ITEM(answer, 2);  /* one of the two that live for ever */
        odd = PLAIN;
    }
    Py_XDECREF(answer);
    return answer ? odd : -1;
}

/* `Express._written`. ODD: the line could not be written. */
static int
write_line(PyObject *self, PyObject *lane, PyObject *line)
{
    PyObject *visitor = SLOT(self, express_, EXPRESS_VISITOR);
    int withheld = SLOT(lane, lane_, LANE_REFUSES) == Py_True;
    PyObject *members = Py_NewRef(line);
    PyBytes_Concat(&members, SLOT(visitor, visitor_, withheld ? VISITOR_WITHHELD : VISITOR_TOLD));
    PyObject *number = members ? PyObject_CallOneArg(SLOT(lane, lane_, LANE_WRITE), members) : NULL;
    Py_XDECREF(members);
    Py_XDECREF(number);
    if (!number && PyErr_ExceptionMatches(the_trail_error)) {
        PyErr_Clear();
        return ODD;
    }
    return number ? PLAIN : -1;
}

/* Return what follows for a kind of exchange, borrowed; NULL without an error where it has to be worked out. */
static PyObject *
outcome_of(PyObject *self, PyObject *lane, PyObject *status, long seen, Filtered *filtered, PyObject *fields)
{
    PyObject *number = PyLong_FromLong(seen), *told = SLOT(self, express_, EXPRESS_TOLD);
    PyObject *key = number ? PyTuple_Pack(6, status, number, told, filtered->told, filtered->depends, fields) : NULL;
    PyObject *outcome = key ? PyDict_GetItemWithError(SLOT(lane, lane_, LANE_OUTCOMES), key) : NULL;
    Py_XDECREF(number);
    Py_XDECREF(key);
    return outcome && Py_TYPE(outcome) == outcome_.type ? outcome : NULL;
}

static PyObject *
with_headers(PyObject *start, PyObject *headers, PyObject *filtered, PyObject *added)
{
    PyObject *all = PyList_GET_SIZE(added) ? PySequence_Concat(filtered, added) : Py_NewRef(filtered);
    PyObject *made = !all || all == headers ? Py_XNewRef(all ? start : NULL) : copied_with(start, str_headers, all);
    Py_XDECREF(all);
    return made;
}

/* `Express._decided`: the head of the response as it goes out, its line written; NULL without an error: leave. */
static PyObject *
decided(PyObject *self, PyObject *start, long seen, PyObject *fields)
{
    PyObject *lane = SLOT(self, express_, EXPRESS_LANE), *headers = PyDict_GetItemWithError(start, str_headers);
    PyObject *status = PyDict_GetItemWithError(start, str_status), *made = NULL;
    Filtered filtered = {NULL, NULL, Py_False};
    int odd = PLAIN;
    if (seen & SETS_COOKIES) {
        odd = filter_cookies(lane, headers, SLOT(self, express_, EXPRESS_COOKIE), &filtered);
    }
    else {
        filtered.headers = Py_NewRef(headers);
        filtered.told = Py_NewRef(the_empty_tuple);
    }
    PyObject *outcome = odd ? NULL : outcome_of(self, lane, status, seen, &filtered, fields);
    if (outcome) {
        Py_INCREF(outcome);
        PyObject *line = SLOT(outcome, outcome_, OUTCOME_LINE);
        if (!PyBytes_GET_SIZE(line) || write_line(self, lane, line) == PLAIN) {
            made = with_headers(start, headers, filtered.headers, SLOT(outcome, outcome_, OUTCOME_ADDED));
        }
        Py_DECREF(outcome);
    }
    else if (!odd && !PyErr_Occurred()) {
        PyObject *kind = PyLong_FromLong(seen);
        made = kind ? PyObject_CallMethodObjArgs(self, str__decided, start, kind, fields, NULL) : NULL;
        Py_XDECREF(kind);
        if (made == Py_None) {
            Py_CLEAR(made);
        }
    }
    Py_XDECREF(filtered.headers);
    Py_XDECREF(filtered.told);
    return made;
}

static PyObject *
pass_on(PyObject *self, PyObject *message)
{
    Py_SETREF(SLOT(self, express_, EXPRESS_PASSING), Py_NewRef(Py_True));
    return PyObject_CallOneArg(SLOT(self, express_, EXPRESS_SEND), message);
}

/* Take the head of a response. NULL without an error: the Python way has to. */
static PyObject *
begin(PyObject *self, PyObject *message)
{
    PyObject *lane = SLOT(self, express_, EXPRESS_LANE), *number = PyDict_GetItemWithError(message, str_status);
    if (!number || !PyLong_CheckExact(number)) {
        return NULL;
    }
    long status = PyLong_AsLong(number);
    long seen = PyErr_Occurred() ? 0 : look(lane, PyDict_GetItemWithError(message, str_headers), status);
    if (seen <= 0) {
        return NULL;
    }
    if (seen == KIND_PLAIN && SLOT(self, express_, EXPRESS_TOLD) == the_empty_tuple) {
        int silent = PySet_Contains(SLOT(lane, lane_, LANE_SILENT), number);
        if (silent) {
            return silent < 0 ? NULL : pass_on(self, message);
        }
    }
    if ((seen & KIND) == KIND_HELD) {
        PyObject *held = PyList_New(1);
        if (!held) {
            return NULL;
        }
        PyList_SET_ITEM(held, 0, Py_NewRef(message));
        Py_SETREF(SLOT(self, express_, EXPRESS_HELD), held);
        return PyObject_CallNoArgs(the_nothing);
    }
    PyObject *start = decided(self, message, seen, the_no_fields);
    PyObject *sent = NULL;
    if (start) {
        sent = pass_on(self, start);
    }
    else if (!PyErr_Occurred()) {
        sent = PyObject_CallMethodOneArg(self, str__otherwise, message);
    }
    Py_XDECREF(start);
    return sent;
}

/* Take the body of a response that is held. NULL without an error: the Python way has to. */
static PyObject *
release(PyObject *self, PyObject *message)
{
    PyObject *more = PyDict_GetItemWithError(message, str_more_body);
    PyObject *body = PyDict_GetItemWithError(message, str_body), *lane = SLOT(self, express_, EXPRESS_LANE);
    PyObject *held = SLOT(self, express_, EXPRESS_HELD), *sent = NULL;
    if ((more && more != Py_False) || !body || PyList_GET_SIZE(held) != 1) {
        return NULL;
    }
    PyObject *start = Py_NewRef(PyList_GET_ITEM(held, 0));
    PyObject *read = PyObject_CallMethodOneArg(SLOT(lane, lane_, LANE_SHAPES), str_read, body);
    if (read && PyTuple_CheckExact(read) && PyTuple_GET_ITEM(read, 0) == body) {
        long status = PyLong_AsLong(PyDict_GetItemWithError(start, str_status));
        long seen = look(lane, PyDict_GetItemWithError(start, str_headers), status);
        PyObject *head = seen <= 0 ? NULL : decided(self, start, seen, PyTuple_GET_ITEM(read, 1));
        if (head) {
            Py_SETREF(SLOT(self, express_, EXPRESS_HELD), Py_NewRef(Py_None));
            Py_SETREF(SLOT(self, express_, EXPRESS_PASSING), Py_NewRef(Py_True));
            sent = PyObject_CallFunctionObjArgs(the_both, SLOT(self, express_, EXPRESS_SEND), head, message, NULL);
            Py_DECREF(head);
        }
        else if (!PyErr_Occurred()) {
            sent = PyObject_CallMethodOneArg(self, str__leave, message);
        }
    }
    Py_XDECREF(read);
    Py_DECREF(start);
    return sent;
}

PyObject *
lane_send(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || Py_TYPE(args[0]) != express_.type) {
        PyErr_SetString(PyExc_TypeError, "send takes an exchange and one message");
        return NULL;
    }
    PyObject *self = args[0], *message = args[1], *sent = NULL;
    if (SLOT(self, express_, EXPRESS_PASSING) == Py_True) {
        return PyObject_CallOneArg(SLOT(self, express_, EXPRESS_SEND), message);
    }
    if (PyDict_CheckExact(message) && SLOT(self, express_, EXPRESS_FULL) == Py_None) {
        PyObject *type = PyDict_GetItemWithError(message, str_type);
        PyObject *held = SLOT(self, express_, EXPRESS_HELD);
        if (type && PyUnicode_CheckExact(type)) {
            if (held == Py_None && (type == start_type || !PyUnicode_Compare(type, start_type))) {
                sent = begin(self, message);
            }
            else if (held != Py_None && (type == body_type || !PyUnicode_Compare(type, body_type))) {
                sent = release(self, message);
            }
        }
    }
    if (sent || PyErr_Occurred()) {
        return sent;
    }
    return PyObject_CallMethodOneArg(self, str_send_plain, message);
}
