/* The express lane, compiled: what `troth.asgi.entrance`, `express`, `verdicts` and `shapes` do, for the plain case only.

   Each function does exactly what its namesake in Python does, or calls it: whatever is odd, new, or not understood at
   once goes to the Python way, which decides. Nothing is decided here that Python has not decided and remembered before.
*/
#ifndef TROTH_LANE_H
#define TROTH_LANE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

/* What a function says beside an error (-1): done, or that the Python way has to be taken. */
enum { PLAIN = 0, ODD = 1 };

/* Where slots of Python classes stand in their instances. One row a class: see `classes` in module.c. */
typedef struct {
    Py_ssize_t at[16];
    PyTypeObject *type;
} Layout;

#define SLOT(object, layout, n) (*(PyObject **)((char *)(object) + (layout).at[n]))

enum { ENTRANCE_MEANINGS, ENTRANCE_EXACT, ENTRANCE_SECONDS, ENTRANCE_KNOWN, ENTRANCE_VIEW, ENTRANCE_READ, ENTRANCE_OPEN, ENTRANCE_REFERRERS };
enum { ENTRY_LANES, ENTRY_METHOD, ENTRY_NOBODY };
enum { VISITOR_SITE, VISITOR_STANDING, VISITOR_GENERATION, VISITOR_SINCE, VISITOR_UNTIL, VISITOR_TOLD, VISITOR_WITHHELD };
enum {
    LANE_CODES, LANE_VALUES, LANE_RESPONSE, LANE_OUTCOMES, LANE_SILENT, LANE_READS, LANE_SINCE, LANE_UNTIL,
    LANE_SET_COOKIES, LANE_SHAPES, LANE_REFUSES, LANE_WRITE
};
enum {
    EXPRESS_LANE, EXPRESS_VISITOR, EXPRESS_GIVEN, EXPRESS_SCOPE, EXPRESS_RECEIVE, EXPRESS_SEND, EXPRESS_COOKIE,
    EXPRESS_TOLD, EXPRESS_HELD, EXPRESS_FULL, EXPRESS_PASSING
};
enum { OUTCOME_ADDED, OUTCOME_LINE };
enum { QUIET_SLOTS, QUIET_SHORTCUT };
enum { SETTER_BY_NAME, SETTER_BY_ATTRIBUTES };
enum { VERDICT_DROPS, VERDICT_READS, VERDICT_DEPENDS, VERDICT_TOLD, VERDICT_ATTRIBUTES };
enum { NODE_NODES, NODE_ITEM };
enum { PLACE_WHOLE, PLACE_PASSES };

extern Layout entrance_, entry_, visitor_, lane_, express_, outcome_, quiet_, setter_, verdict_, node_, place_;

/* What headers and responses mean: the numbers of `troth.asgi.kinds`. */
enum { COOKIE = 1, LENGTH = 2, ENCODING = 3, REFERRER = 6 };
enum { TYPE = 1, BODY_LENGTH = 2, SET_COOKIE = 3, LIMITS = 4 };
enum { KIND_PLAIN = 1, KIND_HTML = 2, KIND_HELD = 3, KIND = 3, SETS_COOKIES = 4 };

/* Names that are looked up for every request. */
#define NAMES(X) \
    X(headers) X(query_string) X(root_path) X(method) X(path) X(scheme) X(extensions) X(type) X(status) X(body) \
    X(more_body) X(https) X(enter_plain) X(send_plain) X(_otherwise) X(_entry) X(_young) X(get) X(quiet) X(filter) \
    X(read) X(into) X(_decided) X(_leave)
#define DECLARE(name) extern PyObject *str_##name;
NAMES(DECLARE)
#undef DECLARE

/* What the Python side hands over once; `CONTENTS` of `troth.asgi.kinds`, `NO_FIELDS` of `shapes` and so on. */
#define THINGS(X) X(contents) X(consent_prefix) X(no_signals) X(no_fields) X(readable) X(nothing) X(both) X(trail_error) X(time)
#define DECLARE(name) extern PyObject *the_##name;
THINGS(DECLARE)
#undef DECLARE

extern PyObject *start_type, *body_type, *the_empty_tuple, *the_cookie_name, *the_set_cookie_name, *zero_bytes, *the_zero;

/* support.c */
PyObject *known_bytes(const char *text, Py_ssize_t size);
PyObject *known_text(const char *text, Py_ssize_t size);
PyObject *table_get(PyObject *table, PyObject *key);
long table_code(PyObject *table, PyObject *key);
int is_quiet(PyObject *values, const char *piece, Py_ssize_t size);
double seconds_of(PyObject *clock);
int within(PyObject *since, PyObject *until, double seconds);
const char *find_bytes(const char *text, Py_ssize_t size, const char *what, Py_ssize_t length);
PyObject *copied_with(PyObject *map, PyObject *key, PyObject *value);

/* way_in.c, way_out.c, json_body.c */
PyObject *lane_enter(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *lane_send(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *lane_places(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *lane_signs(PyObject *self, PyObject *text);
void learn_meanings(void);

#endif
