/* A program of its own that runs the script in its first argument in an embedded interpreter. */
#include <Python.h>

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    Py_Initialize();
    int failed = PyRun_SimpleString(argv[1]);
    return Py_FinalizeEx() || failed;
}
