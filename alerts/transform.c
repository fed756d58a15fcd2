/* transform.c - jq programs of destinations, in processes of their own. */
#include "alerts/transform.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alerts/transform_worker.h"
#include "base/clock.h"
#include "base/secret.h"

#define PROGRAM_MAX ((size_t)64 * 1024)
#define CHUNK_LINES 1000 /* of one request, which the time limit is for */
#define CHUNK_BYTES ((size_t)4 * 1024 * 1024)
#define START_MS 5000    /* libjq reads its own library first */
#define IDLE_MS 60000    /* a worker that nobody needs ends after that */
#define RUNS_MOST 100000 /* of one worker */
#define CHECK_TIME_MS 1000
#define CHECK_BYTES ((int64_t)64 * 1024 * 1024)
#define NAME_BYTES 48
#define GOOD_MOST 256 /* programs that are not checked again */
#define HEAD_BYTES 64

struct limits {
    int64_t time_ms;
    int64_t bytes;
};

struct worker {
    struct worker *next;
    pthread_mutex_t mutex;
    int users; /* guarded by the list's mutex, as name and last use */
    int64_t used_at_ms;
    char name[NAME_BYTES]; /* the destination's */
    /* Guarded by its own mutex: */
    char *program; /* owned; that it runs */
    pid_t pid;     /* 0: none */
    int to;
    int from;
    int runs;
    struct limits limits;
};

struct transform_workers {
    pthread_mutex_t mutex;
    struct worker *first;
    struct limits limits;
};

/* --- the process
 * ------------------------------------------------------------------------ */

/* Ends the process, and waits for it. */
static void stop(struct worker *worker)
{
    if (worker->pid > 0) {
        (void)close(worker->to);
        (void)close(worker->from);
        (void)kill(worker->pid, SIGKILL);
        (void)waitpid(worker->pid, NULL, 0);
    }
    free(worker->program);
    worker->program = NULL;
    worker->pid = 0;
}

static enum lb_err spawn(struct worker *worker, int to[2], int from[2])
{
    char bytes[24];
    char seconds[24];
    const char *argv[] = {
        "linkbell", TRANSFORM_WORKER_WORD, worker->name, bytes, seconds, NULL};
    const char *env[] = {"TZ=UTC", "LC_ALL=C", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int failed;

    (void)snprintf(bytes, sizeof(bytes), "%lld",
                   (long long)worker->limits.bytes);
    (void)snprintf(seconds, sizeof(seconds), "%" PRId64,
                   worker->limits.time_ms / LB_MS_PER_S + 1);
    (void)sigemptyset(&none);
    failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0) {
        return LB_EIO;
    }
    failed = posix_spawnattr_init(&attributes);
    if (failed == 0) {
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        failed = posix_spawn_file_actions_adddup2(&actions, to[0], 0) != 0 ||
                 posix_spawn_file_actions_adddup2(&actions, from[1], 1) != 0 ||
                 posix_spawn_file_actions_addopen(&actions, 2, "/dev/null",
                                                  O_WRONLY, 0) != 0 ||
                 posix_spawn(&worker->pid, "/proc/self/exe", &actions,
                             &attributes, (char *const *)(uintptr_t)argv,
                             (char *const *)(uintptr_t)env) != 0;
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed != 0 ? LB_EIO : LB_OK;
}

static enum lb_err launch(struct worker *worker, struct lb_error *err)
{
    int to[2] = {-1, -1};
    int from[2] = {-1, -1};
    enum lb_err rc = LB_EIO;

    if (pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0) {
        worker->pid = 0;
        rc = spawn(worker, to, from);
    }
    if (to[0] >= 0) {
        (void)close(to[0]);
    }
    if (from[1] >= 0) {
        (void)close(from[1]);
    }
    if (rc != LB_OK) {
        worker->pid = 0;
        if (to[1] >= 0) {
            (void)close(to[1]);
        }
        if (from[0] >= 0) {
            (void)close(from[0]);
        }
        return lb_err_set(err, rc, "the transform's process can't be started");
    }
    worker->to = to[1];
    worker->from = from[0];
    worker->runs = 0;
    (void)fcntl(worker->to, F_SETFL, O_NONBLOCK);
    (void)fcntl(worker->from, F_SETFL, O_NONBLOCK);
    return LB_OK;
}

/* --- talking to it
 * ------------------------------------------------------------------------ */

static enum lb_err too_slow(const struct worker *worker, struct lb_error *err)
{
    return lb_err_set(err, LB_ETIMEOUT,
                      "the transform took longer than "
                      "delivery.transform_time, %lld ms",
                      (long long)worker->limits.time_ms);
}

/* What the end of the process means; it is gone afterwards. */
static enum lb_err explain(struct worker *worker, struct lb_error *err)
{
    int status = 0;
    enum lb_err rc;

    (void)close(worker->to);
    (void)close(worker->from);
    (void)waitpid(worker->pid, &status, 0);
    worker->pid = 0;
    if (!WIFSIGNALED(status)) {
        rc = lb_err_set(err, LB_EIO, "the transform's process ended with %d",
                        WEXITSTATUS(status));
    } else if (WTERMSIG(status) == SIGXCPU) {
        rc = too_slow(worker, err);
    } else {
        rc = lb_err_set(err, LB_ELIMIT,
                        "the transform needed more memory than "
                        "delivery.transform_bytes, %lld MiB",
                        (long long)(worker->limits.bytes >> 20));
    }
    stop(worker);
    return rc;
}

static enum lb_err wait_for(struct worker *worker,
                            int fd,
                            short events,
                            int64_t until_ms,
                            struct lb_error *err)
{
    struct pollfd poll_fd = {fd, events, 0};
    int64_t left_ms = until_ms - lb_clock_mono_ms();

    if (left_ms > 0 &&
        (poll(&poll_fd, 1, (int)left_ms) > 0 || errno == EINTR)) {
        return LB_OK;
    }
    stop(worker);
    return too_slow(worker, err);
}

static enum lb_err send_all(struct worker *worker,
                            const char *bytes,
                            size_t len,
                            int64_t until_ms,
                            struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    while (len > 0 && rc == LB_OK) {
        ssize_t sent = write(worker->to, bytes, len);

        if (sent >= 0) {
            bytes += sent;
            len -= (size_t)sent;
        } else if (errno == EAGAIN || errno == EINTR) {
            rc = wait_for(worker, worker->to, POLLOUT, until_ms, err);
        } else {
            rc = explain(worker, err);
        }
    }
    return rc;
}

/* Some bytes, cap at most. */
static enum lb_err receive(struct worker *worker,
                           char *out,
                           size_t cap,
                           size_t *len_out,
                           int64_t until_ms,
                           struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    *len_out = 0;
    while (rc == LB_OK && *len_out == 0) {
        ssize_t got = read(worker->from, out, cap);

        if (got > 0) {
            *len_out = (size_t)got;
        } else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            rc = wait_for(worker, worker->from, POLLIN, until_ms, err);
        } else {
            rc = explain(worker, err);
        }
    }
    return rc;
}

/* "ok 123\n" or "err 123\n". */
static enum lb_err receive_head(struct worker *worker,
                                bool *is_ok_out,
                                size_t *len_out,
                                int64_t until_ms,
                                struct lb_error *err)
{
    char line[HEAD_BYTES] = "";
    size_t used = 0;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && used + 1 < sizeof(line)) {
        size_t got = 0;

        rc = receive(worker, line + used, 1, &got, until_ms, err);
        if (rc == LB_OK && line[used++] == '\n') {
            break;
        }
    }
    *is_ok_out = strncmp(line, "ok ", 3) == 0;
    *len_out = rc == LB_OK && strchr(line, ' ') != NULL
                   ? (size_t)strtoull(strchr(line, ' '), NULL, 10)
                   : 0;
    return rc;
}

/* One request; its answer is appended to out. */
static enum lb_err ask(struct worker *worker,
                       const char *bytes,
                       size_t len,
                       int64_t time_ms,
                       struct lb_buf *out,
                       struct lb_error *err)
{
    int64_t until_ms = lb_clock_mono_ms() + time_ms;
    char head[HEAD_BYTES];
    char chunk[16384];
    struct lb_buf fault;
    size_t left = 0;
    bool is_ok = false;
    enum lb_err rc;

    (void)snprintf(head, sizeof(head), "run %zu\n", len);
    lb_buf_init(&fault, PROGRAM_MAX);
    rc = send_all(worker, head, strlen(head), until_ms, err);
    rc = rc == LB_OK ? send_all(worker, bytes, len, until_ms, err) : rc;
    rc = rc == LB_OK ? receive_head(worker, &is_ok, &left, until_ms, err) : rc;
    while (rc == LB_OK && left > 0) {
        size_t got = 0;

        rc = receive(worker, chunk, left < sizeof(chunk) ? left : sizeof(chunk),
                     &got, until_ms, err);
        lb_buf_add(is_ok ? out : &fault, chunk, got);
        left -= got;
    }
    if (rc == LB_OK && !is_ok) {
        rc = lb_err_set(err, LB_EINVAL, "%s", lb_buf_text(&fault));
    }
    lb_buf_deinit(&fault);
    return rc;
}

/* --- workers
 * ------------------------------------------------------------------------ */

/* The worker runs the program, a new process if need be. */
static enum lb_err
prepare(struct worker *worker, const char *program, struct lb_error *err)
{
    struct lb_buf nothing;
    enum lb_err rc;

    if (worker->pid > 0 && strcmp(worker->program, program) == 0 &&
        worker->runs < RUNS_MOST) {
        return LB_OK;
    }
    stop(worker);
    rc = launch(worker, err);
    if (rc != LB_OK) {
        return rc;
    }
    worker->program = strdup(program);
    lb_buf_init(&nothing, HEAD_BYTES);
    rc = worker->program == NULL
             ? lb_err_set(err, LB_EIO, "out of memory")
             : ask(worker, program, strlen(program), START_MS, &nothing, err);
    lb_buf_deinit(&nothing);
    if (rc != LB_OK) {
        stop(worker);
    }
    return rc;
}

static enum lb_err run_all(struct worker *worker,
                           const char *text,
                           struct lb_buf *out,
                           struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    while (*text != '\0' && rc == LB_OK) {
        const char *end = text;

        for (int i = 0; i < CHUNK_LINES && *end != '\0' &&
                        (size_t)(end - text) < CHUNK_BYTES;
             i++) {
            end += strcspn(end, "\n");
            end += *end == '\n' ? 1 : 0;
        }
        rc = ask(worker, text, (size_t)(end - text), worker->limits.time_ms,
                 out, err);
        worker->runs++;
        text = end;
    }
    return rc;
}

static void free_worker(struct worker *worker)
{
    stop(worker);
    (void)pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

/* Takes out of the list those that nobody needed for a while, but for one;
 * free_worker() them. */
static struct worker *take_idle(struct transform_workers *workers,
                                const struct worker *but,
                                int64_t now_ms)
{
    struct worker **at = &workers->first;
    struct worker *idle = NULL;

    while (*at != NULL) {
        struct worker *worker = *at;

        if (worker != but && worker->users == 0 &&
            now_ms - worker->used_at_ms >= IDLE_MS) {
            *at = worker->next;
            worker->next = idle;
            idle = worker;
        } else {
            at = &worker->next;
        }
    }
    return idle;
}

/* The destination's, which one more uses now; NULL: out of memory. */
static struct worker *find_worker(struct transform_workers *workers,
                                  const char *destination)
{
    struct worker *worker = workers->first;

    while (worker != NULL && strcmp(worker->name, destination) != 0) {
        worker = worker->next;
    }
    if (worker == NULL && (worker = calloc(1, sizeof(*worker))) != NULL) {
        (void)pthread_mutex_init(&worker->mutex, NULL);
        (void)snprintf(worker->name, sizeof(worker->name), "%s", destination);
        worker->next = workers->first;
        workers->first = worker;
    }
    if (worker != NULL) {
        worker->users++;
    }
    return worker;
}

enum lb_err transform_run(struct transform_workers *workers,
                          const char *destination,
                          const char *program,
                          const char *text,
                          struct lb_buf *out,
                          struct lb_error *err)
{
    struct worker *worker;
    struct worker *idle;
    struct limits limits;
    enum lb_err rc;

    (void)pthread_mutex_lock(&workers->mutex);
    worker = find_worker(workers, destination);
    idle = take_idle(workers, worker, lb_clock_mono_ms());
    limits = workers->limits;
    (void)pthread_mutex_unlock(&workers->mutex);
    while (idle != NULL) {
        struct worker *next = idle->next;

        free_worker(idle);
        idle = next;
    }
    if (worker == NULL) {
        return lb_err_set(err, LB_EIO, "out of memory");
    }
    (void)pthread_mutex_lock(&worker->mutex);
    if (worker->pid == 0) {
        worker->limits = limits;
    }
    rc = prepare(worker, program, err);
    rc = rc == LB_OK ? run_all(worker, text, out, err) : rc;
    (void)pthread_mutex_unlock(&worker->mutex);
    (void)pthread_mutex_lock(&workers->mutex);
    worker->users--;
    worker->used_at_ms = lb_clock_mono_ms();
    (void)pthread_mutex_unlock(&workers->mutex);
    return rc;
}

enum lb_err transform_workers_new(const struct lb_config *config,
                                  struct transform_workers **workers_out,
                                  struct lb_error *err)
{
    struct transform_workers *workers = calloc(1, sizeof(*workers));

    *workers_out = workers;
    if (workers == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    (void)pthread_mutex_init(&workers->mutex, NULL);
    transform_workers_set_config(workers, config);
    return LB_OK;
}

void transform_workers_set_config(struct transform_workers *workers,
                                  const struct lb_config *config)
{
    (void)pthread_mutex_lock(&workers->mutex);
    workers->limits =
        (struct limits){config->transform_time_ms, config->transform_bytes};
    (void)pthread_mutex_unlock(&workers->mutex);
}

void transform_workers_free(struct transform_workers *workers)
{
    while (workers != NULL && workers->first != NULL) {
        struct worker *worker = workers->first;

        workers->first = worker->next;
        free_worker(worker);
    }
    if (workers != NULL) {
        (void)pthread_mutex_destroy(&workers->mutex);
    }
    free(workers);
}

/* --- faults
 * ------------------------------------------------------------------------ */

/* Programs that were found to be good: a configuration is read again and again,
 * and a process for each would hold up whoever reads it. */
static pthread_mutex_t good_mutex = PTHREAD_MUTEX_INITIALIZER;
static uint8_t good[GOOD_MOST][LB_SECRET_SHA256_BYTES]; /* the last ones */
static size_t good_count;

static bool is_known(const uint8_t digest[LB_SECRET_SHA256_BYTES])
{
    bool is_found = false;

    (void)pthread_mutex_lock(&good_mutex);
    for (size_t i = 0; i < good_count && i < GOOD_MOST && !is_found; i++) {
        is_found = memcmp(good[i], digest, sizeof(good[i])) == 0;
    }
    (void)pthread_mutex_unlock(&good_mutex);
    return is_found;
}

static void note_good(const uint8_t digest[LB_SECRET_SHA256_BYTES])
{
    (void)pthread_mutex_lock(&good_mutex);
    memcpy(good[good_count++ % GOOD_MOST], digest, sizeof(good[0]));
    (void)pthread_mutex_unlock(&good_mutex);
}

static enum lb_err check_program(const char *program, struct lb_error *err)
{
    struct worker worker = {.limits = {CHECK_TIME_MS, CHECK_BYTES},
                            .name = "check"};
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    enum lb_err rc;

    lb_secret_sha256(program, strlen(program), digest);
    if (is_known(digest)) {
        return LB_OK;
    }
    rc = prepare(&worker, program, err);
    stop(&worker);
    if (rc == LB_OK) {
        note_good(digest);
    }
    return rc;
}

void transform_check(const struct lb_yaml *destination,
                     struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(destination, "transform");
    struct lb_error err = {LB_OK, ""};

    if (node == NULL) {
        return;
    }
    if (node->kind != LB_YAML_SCALAR || node->text[0] == '\0' ||
        strlen(node->text) > PROGRAM_MAX) {
        lb_config_fault(faults, node->line, node->column, "transform",
                        "must be a jq program, such as "
                        "select(.data.site == \"alice.bio\")");
    } else if (check_program(node->text, &err) != LB_OK) {
        lb_config_fault(faults, node->line, node->column, "transform",
                        "is no jq program: %s", err.text);
    }
}
