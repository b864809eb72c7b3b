/* JSON bodies: which places hold something, found in one pass over the bytes (RFC 8259).

   Does what `Tagger.tag` does for `places`. Whatever could be read in two ways, or is rare, is left to it: escapes in
   keys, numbers that are no plain integers of a few digits or short decimals, deep nesting, control characters.
*/
#include "lane.h"
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 24, SHORTEST_TELLING = 6, TELLING_DIGITS = 13, MOST_DIGITS = 18, LEAST_RUN = 7, KEY_LIMIT = 64 };

typedef struct {
    const char *at, *end;
    PyObject *counts, *look;  /* `look(value, key, place, node)` gives the place of a value that may be telling */
    int probing;
} Body;

static int value_at(Body *body, PyObject *node, PyObject *key, PyObject *place, int depth);

static void
skip_white(Body *body)
{
    while (body->at < body->end && (*body->at == ' ' || *body->at == '\n' || *body->at == '\t' || *body->at == '\r')) {
        body->at++;
    }
}

static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int
digits(const char *text, int count)
{
    while (count--) {
        if (!is_digit(*text++)) {
            return 0;
        }
    }
    return 1;
}

/* Whether a text is a date or time stamp, as `probes._MOMENT` says; the fraction aside, whose length is looked at. */
static int
is_moment(const char *text, Py_ssize_t size)
{
    if (size < 10 || text[0] < '1' || text[0] > '2' || !digits(text, 4) || text[4] != '-' || !digits(text + 5, 2)
        || text[7] != '-' || !digits(text + 8, 2)) {
        return 0;
    }
    const char *at = text + 10, *end = text + size;
    if (at == end) {
        return 1;
    }
    if ((*at != 'T' && *at != ' ') || end - at < 6 || !digits(at + 1, 2) || at[3] != ':' || !digits(at + 4, 2)) {
        return 0;
    }
    at += 6;
    if (end - at >= 3 && *at == ':' && digits(at + 1, 2)) {
        at += 3;
        if (end - at >= 2 && *at == '.' && is_digit(at[1])) {
            const char *fraction = ++at;
            while (at < end && is_digit(*at)) {
                at++;
            }
            if (at - fraction > 9) {
                return 0;
            }
        }
    }
    if (at == end || (end - at == 1 && *at == 'Z')) {
        return 1;
    }
    if ((*at != '+' && *at != '-') || end - at < 5 || !digits(at + 1, 2)) {
        return 0;
    }
    at += at[3] == ':' ? 4 : 3;
    return end - at == 2 && digits(at, 2);
}

/* What a text cannot do without in which a probe finds something: `SIGNS` of `troth.filters.probes`. */
enum { EMAIL = 1, ADDRESS = 2, PHONE = 4, CARD = 8, CODED = 16 };

/* What a byte of a text means. Bytes beyond ASCII count as digits: other scripts have digits too. */
enum { LETTER, DIGIT, BETWEEN, DOT, COLON, AT_SIGN, PERCENT, QUOTE, REFUSED };
static unsigned char meaning[256];

void
learn_meanings(void)
{
    for (int c = 0; c < 256; c++) {
        meaning[c] = is_digit((char)c) || c >= 0x80 ? DIGIT : c < ' ' || c == '\\' ? REFUSED : LETTER;
    }
    meaning[' '] = meaning['('] = meaning[')'] = meaning['-'] = meaning['/'] = BETWEEN;
    meaning['.'] = DOT;
    meaning[':'] = COLON;
    meaning['@'] = AT_SIGN;
    meaning['%'] = PERCENT;
    meaning['"'] = QUOTE;
}

static int
is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Whether what follows a colon is up to four hexadecimal digits and another one. */
static int
is_colon_group(const char *at, const char *end)
{
    for (int i = 0; i < 4 && at < end && is_hex(*at); i++) {
        at++;
    }
    return at < end && *at == ':';
}

/* Whether a dot stands between digits, of which one to three follow and then another dot and digit. */
static int
is_dotted(const char *at, const char *start, const char *end)
{
    if (at == start || !is_digit(at[-1])) {
        return 0;
    }
    const char *next = at + 1;
    while (next < end && next <= at + 3 && is_digit(*next)) {
        next++;
    }
    return next > at + 1 && end - next >= 2 && *next == '.' && is_digit(next[1]);
}

typedef struct {
    const char *end;  /* where its quote stands, or the text ends */
    int signs, ascii;
} Text;

/* Read a text up to its quote. 0 where it holds what has to be decoded with care, or has no end. */
static int
read_text(const char *start, const char *end, Text *text)
{
    int signs = 0, run = 0, digits = 0;
    unsigned char all = 0;
    const char *at = start;
    for (; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        all |= c;
        switch (meaning[c]) {
        case LETTER:
            run = 0;
            continue;
        case DIGIT:
            digits++;
            run++;
            break;
        case DOT:
            signs |= is_dotted(at, start, end) ? ADDRESS : 0;
            /* fall through */
        case BETWEEN:
            run += run > 0;
            break;
        case COLON:
            run = 0;
            signs |= is_colon_group(at + 1, end) ? ADDRESS : 0;
            continue;
        case AT_SIGN:
            run = 0;
            signs |= EMAIL;
            continue;
        case PERCENT:
            run = 0;
            signs |= CODED;
            continue;
        case QUOTE:
            goto ended;
        default:
            return 0;
        }
        signs |= run >= LEAST_RUN ? PHONE : 0;
    }
ended:
    text->end = at;
    text->ascii = all < 0x80;
    text->signs = at - start < SHORTEST_TELLING ? 0 : signs | (signs & PHONE && digits >= TELLING_DIGITS ? CARD : 0);
    if (text->signs && is_moment(start, at - start)) {
        text->signs = 0;
    }
    return 1;
}

/* signs(text) -> what stands in a text of the signs that probes look for; for tests. -1: it is not read here. */
PyObject *
lane_signs(PyObject *Py_UNUSED(module), PyObject *given)
{
    Py_ssize_t size;
    Text text;
    const char *start = PyUnicode_AsUTF8AndSize(given, &size);
    if (!start) {
        return NULL;
    }
    int whole = read_text(start, start + size, &text) && text.end == start + size;
    return PyLong_FromLong(whole ? text.signs : -1);
}

/* Whether a value with these signs has to be looked at, standing where it does. */
static int
may_tell(Body *body, PyObject *place, int signs)
{
    if (!body->probing || !signs) {
        return 0;
    }
    return place == Py_None || signs & ~(int)PyLong_AsLong(SLOT(place, place_, PLACE_PASSES));
}

/* Count one more value at a place. */
static int
count(Body *body, PyObject *place)
{
    PyObject *before = PyDict_GetItemWithError(body->counts, place);
    if (!before && PyErr_Occurred()) {
        return -1;
    }
    PyObject *after = PyLong_FromLong(before ? PyLong_AsLong(before) + 1 : 1);
    int failed = after ? PyDict_SetItem(body->counts, place, after) : -1;
    Py_XDECREF(after);
    return failed;
}

/* Count a scalar; one that may be telling is looked at first. Takes the reference of `value` (NULL: nothing to see). */
static int
scalar(Body *body, PyObject *node, PyObject *key, PyObject *place, PyObject *value)
{
    PyObject *found = Py_NewRef(place);
    if (value) {
        Py_SETREF(found, PyObject_CallFunctionObjArgs(body->look, value, key, place, node, NULL));
        Py_DECREF(value);
    }
    int failed = !found ? -1 : found == Py_None ? PLAIN : count(body, found);
    Py_XDECREF(found);
    return failed;
}

static int
string(Body *body, PyObject *node, PyObject *key, PyObject *place)
{
    Text text;
    const char *start = ++body->at;
    if (!read_text(start, body->end, &text) || text.end == body->end) {
        return ODD;
    }
    body->at = text.end + 1;
    int telling = may_tell(body, place, text.signs);
    PyObject *value = NULL;
    if (!text.ascii || telling) {
        value = PyUnicode_DecodeUTF8(start, text.end - start, NULL);
        if (!value) {
            PyErr_Clear();  /* no UTF-8: others say so */
            return ODD;
        }
        if (!telling) {
            Py_CLEAR(value);
        }
    }
    return scalar(body, node, key, place, value);
}

/* A number that every reader takes for the same: ``-?(0|[1-9]\d{0,17})(\.\d{1,15})?``. Others are left to others. */
static int
number(Body *body, PyObject *node, PyObject *key, PyObject *place)
{
    const char *at = body->at, *end = body->end;
    int negative = *at == '-';
    at += negative;
    const char *start = at;
    while (at < end && is_digit(*at)) {
        at++;
    }
    Py_ssize_t size = at - start;
    if (size == 0 || size > MOST_DIGITS || (*start == '0' && size > 1)) {
        return ODD;
    }
    int whole = at == end || *at != '.';
    if (!whole) {
        const char *fraction = ++at;
        while (at < end && is_digit(*at)) {
            at++;
        }
        if (at == fraction || at - fraction > 15) {
            return ODD;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        return ODD;
    }
    body->at = at;
    PyObject *value = NULL;
    if (whole && !negative && size >= TELLING_DIGITS && may_tell(body, place, CARD)) {
        value = PyLong_FromLongLong(strtoll(start, NULL, 10));
        if (!value) {
            return -1;
        }
    }
    return scalar(body, node, key, place, value);
}

static int
word(Body *body, PyObject *node, PyObject *key, PyObject *place)
{
    static const char *const words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        Py_ssize_t size = (Py_ssize_t)strlen(words[i]);
        if (body->end - body->at >= size && !memcmp(body->at, words[i], size)) {
            body->at += size;
            return scalar(body, node, key, place, NULL);
        }
    }
    return ODD;
}

/* Return the node of what stands inside, which it learns when first asked. A new reference. */
static PyObject *
into(PyObject *node, PyObject *key)
{
    PyObject *found = PyDict_GetItemWithError(SLOT(node, node_, NODE_NODES), key);
    if (found) {
        return Py_NewRef(found);
    }
    return PyErr_Occurred() ? NULL : PyObject_CallMethodOneArg(node, str_into, key);
}

static int
member(Body *body, PyObject *node, int depth)
{
    Text text;
    if (body->at >= body->end || *body->at != '"') {
        return ODD;
    }
    const char *start = ++body->at;
    if (!read_text(start, body->end, &text) || text.end == body->end || !text.ascii || text.end - start > KEY_LIMIT) {
        return ODD;
    }
    body->at = text.end + 1;
    skip_white(body);
    if (body->at >= body->end || *body->at++ != ':') {
        return ODD;
    }
    PyObject *key = known_text(start, text.end - start);
    PyObject *place = key ? table_get(node, key) : NULL;
    int odd = place ? value_at(body, node, key, place, depth) : -1;
    Py_XDECREF(key);
    Py_XDECREF(place);
    return odd;
}

/* Read the inside of an object (its node is given) or list, up to and with the closing bracket. */
static int
inside(Body *body, PyObject *node, char close, int depth)
{
    body->at++;
    skip_white(body);
    if (body->at < body->end && *body->at == close) {
        body->at++;
        return PLAIN;
    }
    for (;;) {
        int odd = close == '}' ? member(body, node, depth)
                               : value_at(body, node, Py_None, SLOT(node, node_, NODE_ITEM), depth);
        if (odd) {
            return odd;
        }
        skip_white(body);
        if (body->at >= body->end) {
            return ODD;
        }
        char c = *body->at++;
        if (c == close) {
            return PLAIN;
        }
        if (c != ',') {
            return ODD;
        }
        skip_white(body);
    }
}

static int
container(Body *body, PyObject *node, PyObject *key, PyObject *place, int depth)
{
    if (depth >= DEEPEST) {
        return ODD;
    }
    if (place != Py_None && SLOT(place, place_, PLACE_WHOLE) == Py_True && count(body, place) < 0) {
        return -1;
    }
    PyObject *child = into(node, key);
    if (!child || Py_TYPE(child) != node_.type) {
        Py_XDECREF(child);
        return PyErr_Occurred() ? -1 : ODD;
    }
    int odd = inside(body, child, *body->at == '{' ? '}' : ']', depth + 1);
    Py_DECREF(child);
    return odd;
}

static int
value_at(Body *body, PyObject *node, PyObject *key, PyObject *place, int depth)
{
    skip_white(body);
    if (body->at >= body->end) {
        return ODD;
    }
    switch (*body->at) {
    case '"':
        return string(body, node, key, place);
    case '{':
    case '[':
        return container(body, node, key, place, depth);
    case 't':
    case 'f':
    case 'n':
        return word(body, node, key, place);
    default:
        return number(body, node, key, place);
    }
}

/* places(body, root, look) -> dict of places with the number of values at each; None where others have to read it.

   `look` is None where no value is looked at. */
PyObject *
lane_places(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 3 || !PyBytes_CheckExact(args[0]) || Py_TYPE(args[1]) != node_.type) {
        PyErr_SetString(PyExc_TypeError, "places takes a body, the node of its root, and a look at values");
        return NULL;
    }
    const char *start = PyBytes_AS_STRING(args[0]);
    Body body = {start, start + PyBytes_GET_SIZE(args[0]), PyDict_New(), args[2], args[2] != Py_None};
    if (!body.counts) {
        return NULL;
    }
    skip_white(&body);
    int odd = ODD;
    if (body.at < body.end && (*body.at == '{' || *body.at == '[')) {
        odd = inside(&body, args[1], *body.at == '{' ? '}' : ']', 0);
    }
    skip_white(&body);
    if (!odd && body.at == body.end) {
        return body.counts;
    }
    Py_DECREF(body.counts);
    if (odd == -1) {
        return NULL;
    }
    return Py_NewRef(Py_None);
}
