#include "lint/known_calls.h"

#include <algorithm>

namespace stmpy::compiler {

const CallTable kInputOutput = {
    {{"builtins"}, {"print", "open", "input", "breakpoint"}},
    {{"io", "codecs", "gzip", "bz2", "lzma"}, {"open"}},
    {{"builtins.open()", "io.open()"}, {"*"}, true},
    {{"os"}, {"open",     "close",      "read",      "write",   "pread",   "pwrite",  "sendfile", "fsync",
              "truncate", "remove",     "unlink",    "rename",  "renames", "replace", "mkdir",    "makedirs",
              "rmdir",    "removedirs", "link",      "symlink", "chmod",   "chown",   "utime",    "mkfifo",
              "system",   "popen",      "startfile", "kill",    "killpg",  "abort"}},
    {{"shutil"},
     {"copy", "copy2", "copyfile", "copytree", "copyfileobj", "move", "rmtree", "make_archive",
      "unpack_archive", "chown"}},
    {{"tempfile"}, {"NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "mkstemp", "mkdtemp"}},
    {{"pathlib.Path()", "pathlib.PosixPath()"},
     {"open", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "touch", "unlink", "rename",
      "replace", "rmdir", "symlink_to", "hardlink_to", "chmod"}},
    {{"subprocess"}, {"run", "call", "check_call", "check_output", "Popen", "getoutput", "getstatusoutput"}},
    {{"sys.stdout", "sys.stderr", "sys.stdin"},
     {"write", "writelines", "flush", "read", "readline", "readlines"}},
    {{"logging", "logging.getLogger()", "logging.Logger()", "loguru.logger", "structlog.get_logger()"},
     {"debug", "info", "warning", "warn", "error", "critical", "exception", "log"}},
    {{"pprint"}, {"pprint", "pp"}},
    {{"traceback"}, {"print_exc", "print_exception", "print_stack", "print_last", "print_tb"}},
    {{"json", "pickle", "marshal", "plistlib", "tomli_w"}, {"dump"}},
    {{"getpass"}, {"getpass"}},
    {{"webbrowser"}, {"open", "open_new", "open_new_tab"}},
    {{"socket"}, {"create_connection", "create_server", "getaddrinfo", "gethostbyname"}},
    {{"socket.socket()", "socket.create_connection()", "ssl.SSLSocket()"},
     {"connect", "bind", "listen", "accept", "send", "sendall", "sendto", "recv", "recvfrom", "recv_into",
      "close"}},
    {{"urllib.request"}, {"urlopen", "urlretrieve"}},
    {{"http.client.HTTPConnection()", "http.client.HTTPSConnection()"},
     {"connect", "request", "getresponse"}},
    {{"requests", "requests.Session()", "requests.session()", "httpx", "httpx.Client()"},
     {"get", "post", "put", "patch", "delete", "head", "options", "request", "send", "stream"}},
    {{"urllib3", "urllib3.PoolManager()"}, {"request"}},
    {{"smtplib"}, {"SMTP", "SMTP_SSL"}},
    {{"smtplib.SMTP()", "smtplib.SMTP_SSL()", "ftplib.FTP()"}, {"*"}, true},
    {{"sqlite3", "psycopg", "psycopg2", "pymysql", "MySQLdb"}, {"connect"}},
    {{"sqlite3.connect()", "psycopg.connect()", "psycopg2.connect()", "pymysql.connect()"}, {"*"}, true},
    {{"sqlite3.connect().cursor()", "psycopg.connect().cursor()", "psycopg2.connect().cursor()"},
     {"*"},
     true},
    {{"redis.Redis()", "redis.StrictRedis()"}, {"*"}},
};

const CallTable kWaiting = {
    {{"time", "asyncio", "gevent", "eventlet", "trio", "anyio"}, {"sleep"}},
    {{"select"}, {"select"}},
    {{"select.poll()", "select.epoll()"}, {"poll"}},
    {{"selectors.DefaultSelector()"}, {"select"}},
    {{"threading.Event()", "threading.Condition()", "threading.Barrier()", "multiprocessing.Event()"},
     {"wait", "wait_for"}},
    {{"threading.Thread()", "threading.Timer()", "multiprocessing.Process()"}, {"join"}},
    {{"concurrent.futures"}, {"wait", "as_completed"}},
    {{"concurrent.futures.ThreadPoolExecutor().submit()", "concurrent.futures.ProcessPoolExecutor().submit()",
      "concurrent.futures.Future()"},
     {"result", "exception"}},
    {{"subprocess.Popen()"}, {"wait", "communicate"}},
    {{"signal"}, {"pause", "sigwait", "sigwaitinfo", "sigtimedwait"}},
    {{"os"}, {"wait", "wait3", "wait4", "waitpid", "waitid"}},
};

const CallTable kLocking = {
    {{"threading.Lock()", "threading.RLock()", "threading.Condition()", "threading.Semaphore()",
      "threading.BoundedSemaphore()", "multiprocessing.Lock()", "multiprocessing.RLock()",
      "multiprocessing.Semaphore()", "_thread.allocate_lock()"},
     {"acquire"},
     true},
    {{"queue.Queue()", "queue.LifoQueue()", "queue.PriorityQueue()", "queue.SimpleQueue()",
      "multiprocessing.Queue()", "multiprocessing.JoinableQueue()", "multiprocessing.SimpleQueue()"},
     {"put", "get", "put_nowait", "get_nowait", "join", "task_done"},
     true},
    {{"fcntl"}, {"flock", "lockf"}},
};

const std::initializer_list<std::string_view> kLocks = {
    "threading.Lock()",
    "threading.RLock()",
    "threading.Condition()",
    "threading.Semaphore()",
    "threading.BoundedSemaphore()",
    "multiprocessing.Lock()",
    "multiprocessing.RLock()",
    "multiprocessing.Semaphore()",
    "_thread.allocate_lock()",
    "filelock.FileLock()",
};

const CallTable kStarting = {
    {{"threading.Thread()", "threading.Timer()", "multiprocessing.Process()"}, {"start"}},
    {{"_thread"}, {"start_new_thread", "start_new"}},
    {{"concurrent.futures.ThreadPoolExecutor()", "concurrent.futures.ProcessPoolExecutor()"},
     {"submit", "map"}},
    {{"multiprocessing.Pool()", "multiprocessing.pool.Pool()", "multiprocessing.pool.ThreadPool()"},
     {"apply", "apply_async", "map", "map_async", "imap", "imap_unordered", "starmap", "starmap_async"}},
    {{"os"}, {"fork", "forkpty", "posix_spawn", "posix_spawnp"}},
    {{"asyncio"}, {"run", "create_task", "ensure_future", "gather", "run_coroutine_threadsafe", "to_thread"}},
};

const CallTable kRandom = {
    {{"random", "random.Random()", "random.SystemRandom()"},
     {"random",       "randint",        "randrange",     "uniform",       "choice",          "choices",
      "sample",       "shuffle",        "gauss",         "normalvariate", "expovariate",     "betavariate",
      "gammavariate", "lognormvariate", "paretovariate", "triangular",    "vonmisesvariate", "weibullvariate",
      "getrandbits",  "randbytes",      "seed"},
     true},
    {{"secrets"}, {"choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe"}},
    {{"uuid"}, {"uuid1", "uuid4", "uuid6", "uuid7"}},
    {{"os"}, {"urandom", "getrandom"}},
    {{"numpy.random"},
     {"rand", "randn", "randint", "random", "random_sample", "choice", "shuffle", "permutation", "normal",
      "uniform", "seed"}},
};

const CallTable kClock = {
    {{"time"},
     {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time",
      "process_time_ns", "thread_time", "thread_time_ns"}},
    {{"datetime.datetime"}, {"now", "today", "utcnow"}},
    {{"datetime.date"}, {"today"}},
};

const CallTable kProcessState = {
    {{"os"}, {"chdir", "fchdir", "putenv", "unsetenv", "umask", "nice", "setuid", "setgid"}},
    {{"sys"}, {"setrecursionlimit", "setswitchinterval", "settrace", "setprofile"}},
    {{"signal"}, {"signal", "alarm", "setitimer"}},
    {{"locale"}, {"setlocale"}},
    {{"gc"}, {"disable", "enable", "freeze", "set_threshold"}},
    {{"atexit"}, {"register", "unregister"}},
    {{"contextvars.ContextVar()"}, {"set", "reset"}},
};

const KnownCalls* find_call(const CallTable& table, std::string_view path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return nullptr;
  const std::string_view owner = path.substr(0, dot);
  const std::string_view name = path.substr(dot + 1);
  const auto has = [](const auto& list, std::string_view wanted) {
    return std::find(list.begin(), list.end(), wanted) != list.end();
  };
  for (const KnownCalls& known : table) {
    if (has(known.owners, owner) && (has(known.names, name) || has(known.names, "*"))) return &known;
  }
  return nullptr;
}

}  // namespace stmpy::compiler
