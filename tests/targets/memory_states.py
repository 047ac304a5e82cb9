"""Memory in a known state, by a statement of the test."""
import collections
import ctypes
import mmap

MB = 1 << 20
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
kept = []


def keep_objects():
    """200 MB of objects in pools: `bytes` of 400 and some bytes."""
    kept.extend(bytes(400) + b"%d" % n for n in range(440_000))


def keep_large_objects():
    """200 MB of objects too large for pools."""
    kept.extend(bytes(1000) + b"%d" % n for n in range(195_000))


def keep_deque():
    """104 MB of references in the blocks of a `deque`, all to one object."""
    kept.append(collections.deque([None]) * (13 * MB))


def fragment_pools():
    """Fills 200 MB of pools and frees all but an object in each."""
    made = [bytes(300) for _ in range(620_000)]
    kept.extend(made[::10])
    del made[:]
    survivors = kept[::4]
    kept[:] = survivors


def keep_native():
    """100 MB that only C code knows of, in one piece."""
    address = libc.malloc(100 * MB)
    ctypes.memset(address, 1, 100 * MB)


def keep_native_and_a_number_like_its_address():
    """The same, and an object with a field that would lead into it if it were an address."""
    address = libc.malloc(100 * MB)
    ctypes.memset(address, 1, 100 * MB)
    kept.append((address + 50 * MB).to_bytes(8, "little") + bytes(1000))


def keep_small_native():
    """100 MB of the same in pieces of 1000 bytes."""
    for _ in range(100_000):
        ctypes.memset(libc.malloc(1000), 1, 1000)


def keep_small_native_in_a_thread():
    """The same by another thread, whose memory is in a heap of its own."""
    tasks = os.listdir("/proc/self/task")
    thread = threading.Thread(target=keep_small_native)
    thread.start()
    thread.join()
    # `join` does not wait for the kernel's thread.
    while os.listdir("/proc/self/task") != tasks:
        os.sched_yield()


def free_native():
    """100 MB in pieces, freed but for the last, which keeps them from going back."""
    pieces = [libc.malloc(100_000) for _ in range(1000)]
    for piece in pieces:
        ctypes.memset(piece, 1, 100_000)
    for piece in pieces[:-1]:
        libc.free(piece)


def map_file(path):
    """Maps 100 MB of a file and reads it."""
    with open(path, "r+b") as file:
        file.truncate(100 * MB)
        kept.append(mmap.mmap(file.fileno(), 100 * MB))
    for place in range(0, 100 * MB, 4096):
        kept[-1][place : place + 1] = b"x"


def map_shared():
    """100 MB shared with children yet to be, half of it written to."""
    kept.append(mmap.mmap(-1, 100 * MB))
    for place in range(0, 50 * MB, 4096):
        kept[-1][place : place + 1] = b"x"


def grow_bytearray():
    """A buffer of 100 MB beside its object."""
    kept.append(bytearray(b"x") * (100 * MB))


def start_deep_threads():
    """25 threads that have written to 4 MB of their stacks each."""
    attributes = ctypes.create_string_buffer(128)
    libc.pthread_self.restype = ctypes.c_void_p
    libc.pthread_getattr_np.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    libc.pthread_attr_getstack.argtypes = [ctypes.c_void_p] * 3
    ready = threading.Barrier(26)
    threading.stack_size(16 * MB)

    def run():
        attributes = ctypes.create_string_buffer(128)
        start, size = ctypes.c_void_p(), ctypes.c_size_t()
        libc.pthread_getattr_np(libc.pthread_self(), attributes)
        libc.pthread_attr_getstack(attributes, ctypes.byref(start), ctypes.byref(size))
        # The far end of the stack: nothing of this thread is there.
        ctypes.memset(start.value + MB, 1, 4 * MB)
        ready.wait()
        threading.Event().wait()

    for _ in range(25):
        threading.Thread(target=run, daemon=True).start()
    ready.wait()


serve()
