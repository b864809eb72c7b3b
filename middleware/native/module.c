/* The module `troth._native`: what is handed over at import, and where slots of Python classes stand. */
#include "lane.h"

Layout entrance_, entry_, visitor_, lane_, express_, outcome_, quiet_, setter_, verdict_, node_, place_;
#define DEFINE(name) PyObject *str_##name;
NAMES(DEFINE)
#undef DEFINE
#define DEFINE(name) PyObject *the_##name;
THINGS(DEFINE)
#undef DEFINE
PyObject *start_type, *body_type, *the_empty_tuple, *the_set_cookie_name, *zero_bytes, *the_zero;

static const struct {
    const char *name;
    Layout *layout;
    const char *slots[16];
} classes[] = {
    {"Entrance", &entrance_, {"_meanings", "_exact", "_seconds", "_known", "_view", "_read", "open", "_referrers"}},
    {"Entry", &entry_, {"lanes", "method", "nobody"}},
    {"Visitor", &visitor_, {"site", "standing", "generation", "since", "until", "told", "withheld"}},
    {"Lane", &lane_, {"codes", "values", "response", "outcomes", "silent", "reads", "since", "until", "set_cookies",
                      "shapes", "refuses", "write"}},
    {"Express", &express_, {"_lane", "_visitor", "_given", "scope", "_receive", "_send", "_cookie", "_told", "_held",
                            "_full", "passing"}},
    {"Outcome", &outcome_, {"added", "line"}},
    {"Quiet", &quiet_, {"_slots", "_shortcut"}},
    {"SetCookies", &setter_, {"_by_name", "_by_attributes"}},
    {"SetCookieVerdict", &verdict_, {"drops", "reads", "depends", "is_told", "attributes"}},
    {"Node", &node_, {"nodes", "item"}},
    {"Place", &place_, {"whole", "passes"}},
};

/* Learn where one slot stands. */
static int
learn_slot(Layout *layout, int n, const char *name)
{
    PyObject *descriptor = PyObject_GetAttrString((PyObject *)layout->type, name);
    if (!descriptor) {
        return -1;
    }
    int right = Py_TYPE(descriptor) == &PyMemberDescr_Type;
    if (right) {
        layout->at[n] = ((PyMemberDescrObject *)descriptor)->d_member->offset;
    }
    else {
        PyErr_Format(PyExc_TypeError, "%s.%s is no slot", layout->type->tp_name, name);
    }
    Py_DECREF(descriptor);
    return right ? 0 : -1;
}

/* configure(classes, things): two dicts by name. Nothing else may be called before. */
static PyObject *
configure(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *given, *things;
    if (!PyArg_ParseTuple(args, "O!O!", &PyDict_Type, &given, &PyDict_Type, &things)) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
        PyObject *type = PyDict_GetItemString(given, classes[i].name);
        if (!type || !PyType_Check(type)) {
            return PyErr_Format(PyExc_TypeError, "no class %s", classes[i].name);
        }
        classes[i].layout->type = (PyTypeObject *)Py_NewRef(type);
        for (int n = 0; n < 16 && classes[i].slots[n]; n++) {
            if (learn_slot(classes[i].layout, n, classes[i].slots[n]) < 0) {
                return NULL;
            }
        }
    }
#define TAKE(name) \
    the_##name = Py_XNewRef(PyDict_GetItemString(things, #name)); \
    if (!the_##name) { \
        return PyErr_Format(PyExc_TypeError, "no %s", #name); \
    }
    THINGS(TAKE)
#undef TAKE
    Py_RETURN_NONE;
}

static PyMethodDef enter_method = {"enter", (PyCFunction)(void (*)(void))lane_enter, METH_FASTCALL, NULL};
static PyMethodDef send_method = {"send", (PyCFunction)(void (*)(void))lane_send, METH_FASTCALL, NULL};
static PyMethodDef methods[] = {
    {"configure", configure, METH_VARARGS, "Take the classes whose slots are read, and what else Python hands over."},
    {"places", (PyCFunction)(void (*)(void))lane_places, METH_FASTCALL, "Find the places of a JSON body that hold something."},
    {"signs", lane_signs, METH_O, "Say what stands in a text of the signs that probes look for."},
    {NULL, NULL, 0, NULL},
};

/* Add a function that becomes a method where a class takes it as an attribute. */
static int
add_method(PyObject *module, PyMethodDef *method)
{
    PyObject *function = PyCFunction_New(method, NULL);
    PyObject *bound = function ? PyInstanceMethod_New(function) : NULL;
    Py_XDECREF(function);
    int failed = bound ? PyModule_AddObjectRef(module, method->ml_name, bound) : -1;
    Py_XDECREF(bound);
    return failed;
}

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "troth._native", "The express lane, compiled.", -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__native(void)
{
#define INTERN(name) \
    if (!(str_##name = PyUnicode_InternFromString(#name))) { \
        return NULL; \
    }
    NAMES(INTERN)
#undef INTERN
    learn_meanings();
    start_type = PyUnicode_InternFromString("http.response.start");
    body_type = PyUnicode_InternFromString("http.response.body");
    the_empty_tuple = PyTuple_New(0);
    the_set_cookie_name = PyBytes_FromString("set-cookie");
    zero_bytes = PyBytes_FromString("");
    the_zero = PyLong_FromLong(0);
    PyObject *module = PyModule_Create(&definition);
    if (!start_type || !body_type || !the_empty_tuple || !the_set_cookie_name || !zero_bytes || !the_zero || !module
        || add_method(module, &enter_method) < 0 || add_method(module, &send_method) < 0) {
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
