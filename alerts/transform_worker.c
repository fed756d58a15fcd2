/* transform_worker.c - jq (libjq) in a process of its own. */
#include "alerts/transform_worker.h"

#include <jq.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"

#define REQUEST_MAX ((size_t)64 * 1024 * 1024)
#define OUTPUT_MAX ((size_t)64 * 1024 * 1024)
#define TEXT_MAX 1024
#define MARK "jq: error: "
#define STATM_DATA 5 /* field of /proc/self/statm: pages of data */
#define EXIT_STRANGE 2

struct worker {
    jq_state *jq;
    struct lb_buf input;  /* a request's bytes */
    struct lb_buf output; /* an answer's */
    struct lb_buf fault;  /* what went wrong; empty: nothing */
    long seconds;
};

/* --- limits
 * ------------------------------------------------------------------------ */

static long long data_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    char line[160] = "";
    char *rest = line;

    if (file != NULL) {
        (void)!fgets(line, sizeof(line), file);
        (void)fclose(file);
    }
    for (int i = 0; i < STATM_DATA; i++) {
        (void)strtoll(rest, &rest, 10);
    }
    return strtoll(rest, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static void set_limit(__rlimit_resource_t what, long long most)
{
    struct rlimit limit;

    (void)getrlimit(what, &limit);
    limit.rlim_cur = (rlim_t)most;
    limit.rlim_max = what == RLIMIT_CPU ? limit.rlim_max : (rlim_t)most;
    (void)setrlimit(what, &limit);
}

/* No further file is opened, none written, and memory has an end. */
static void shut_in(long long bytes)
{
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    set_limit(RLIMIT_DATA, data_bytes() + bytes);
    set_limit(RLIMIT_CORE, 0);
    set_limit(RLIMIT_FSIZE, 0);
    set_limit(RLIMIT_NOFILE, STDERR_FILENO + 1);
}

/* Counts from now on: the service ends what takes long, but it may be gone. */
static void limit_time(long seconds)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    set_limit(RLIMIT_CPU,
              usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + seconds + 2);
}

/* --- requests and answers
 * ------------------------------------------------------------------------ */

/* False: there are no more. */
static bool read_request(struct worker *worker)
{
    char line[64];
    char chunk[16384];
    const char *number;
    unsigned long left;

    lb_buf_clear(&worker->input);
    if (fgets(line, sizeof(line), stdin) == NULL) {
        return false;
    }
    number = strchr(line, ' ');
    left = number == NULL ? REQUEST_MAX + 1 : strtoul(number, NULL, 10);
    if (left > REQUEST_MAX) {
        return false;
    }
    while (left > 0) {
        size_t want = left < sizeof(chunk) ? left : sizeof(chunk);
        size_t got = fread(chunk, 1, want, stdin);

        lb_buf_add(&worker->input, chunk, got);
        left -= got;
        if (got == 0) {
            return false;
        }
    }
    return !worker->input.is_failed;
}

static bool answer(struct worker *worker)
{
    bool is_well = worker->fault.len == 0 && !worker->output.is_failed;
    const struct lb_buf *from = is_well ? &worker->output : &worker->fault;

    if (worker->output.is_failed) {
        lb_buf_clear(&worker->fault);
        lb_buf_add_text(&worker->fault, "its outputs are too long");
    }
    (void)printf("%s %zu\n", is_well ? "ok" : "err", from->len);
    (void)fwrite(lb_buf_text(from), 1, from->len, stdout);
    lb_buf_clear(&worker->output);
    lb_buf_clear(&worker->fault);
    return fflush(stdout) == 0;
}

/* --- running
 * ------------------------------------------------------------------------ */

static void set_fault(struct worker *worker, const char *text)
{
    if (worker->fault.len == 0) {
        text +=
            strncmp(text, MARK, sizeof(MARK) - 1) == 0 ? sizeof(MARK) - 1 : 0;
        lb_buf_add(&worker->fault, text, strcspn(text, "\n"));
    }
}

/* What libjq has to say; the first of it is what matters. */
static void on_message(void *ctx, jv message)
{
    if (jv_get_kind(message) == JV_KIND_STRING) {
        set_fault(ctx, jv_string_value(message));
    }
    jv_free(message);
}

static void on_no_memory(void *ctx)
{
    (void)ctx;
    abort(); /* the service tells by it */
}

static void fault_of(struct worker *worker, jv invalid)
{
    jv message = jv_invalid_get_msg(invalid);

    if (jv_get_kind(message) != JV_KIND_STRING) {
        message = jv_dump_string(message, 0);
    }
    set_fault(worker, jv_string_value(message));
    jv_free(message);
}

static void add_output(struct worker *worker, jv value, int number)
{
    if (jv_get_kind(value) != JV_KIND_OBJECT) {
        char text[TEXT_MAX];

        (void)snprintf(text, sizeof(text),
                       "output %d is of type %s, and must be an object", number,
                       jv_kind_name(jv_get_kind(value)));
        set_fault(worker, text);
        jv_free(value);
        return;
    }
    value = jv_dump_string(value, 0);
    lb_buf_add(&worker->output, jv_string_value(value),
               (size_t)jv_string_length_bytes(jv_copy(value)));
    lb_buf_add_char(&worker->output, '\n');
    jv_free(value);
}

static void run_on(struct worker *worker, const char *line, size_t len)
{
    jv input = jv_parse_sized(line, (int)len);
    int count = 0;
    jv value;

    if (!jv_is_valid(input)) {
        fault_of(worker, input);
        return;
    }
    jq_start(worker->jq, input, 0);
    value = jq_next(worker->jq);
    while (jv_is_valid(value) && worker->fault.len == 0) {
        if (++count > TRANSFORM_WORKER_OUTPUTS) {
            set_fault(worker, "it has more than 100 outputs");
            break;
        }
        add_output(worker, value, count);
        value = jq_next(worker->jq);
    }
    if (!jv_is_valid(value) && jv_invalid_has_msg(jv_copy(value))) {
        fault_of(worker, jv_copy(value));
    } else if (jq_halted(worker->jq)) {
        set_fault(worker, "it halted");
    }
    jv_free(value);
    lb_buf_add_char(&worker->output, '\n');
}

static void run_request(struct worker *worker)
{
    const char *line = lb_buf_text(&worker->input);

    while (*line != '\0' && worker->fault.len == 0) {
        size_t len = strcspn(line, "\n");

        run_on(worker, line, len);
        line += len + (line[len] == '\n' ? 1 : 0);
    }
}

int transform_worker_main(int argc, char **argv)
{
    struct worker worker = {0};
    long long bytes = 0;
    long long seconds = 0;

    if (argc != 5 || !lb_text_to_int(argv[3], &bytes) ||
        !lb_text_to_int(argv[4], &seconds)) {
        return EXIT_STRANGE;
    }
    worker.seconds = (long)seconds;
    lb_buf_init(&worker.input, REQUEST_MAX);
    lb_buf_init(&worker.output, OUTPUT_MAX);
    lb_buf_init(&worker.fault, TEXT_MAX);
    shut_in(bytes);
    limit_time(worker.seconds);
    worker.jq = jq_init();
    if (worker.jq == NULL || !read_request(&worker)) {
        return EXIT_STRANGE;
    }
    jq_set_error_cb(worker.jq, on_message, &worker);
    jq_set_nomem_handler(worker.jq, on_no_memory, NULL);
    /* Modules could be read from nowhere. */
    jq_set_attr(worker.jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
    if (jq_compile(worker.jq, lb_buf_text(&worker.input)) == 0) {
        set_fault(&worker, "it can't be compiled");
    }
    while (answer(&worker) && read_request(&worker)) {
        limit_time(worker.seconds);
        run_request(&worker);
    }
    jq_teardown(&worker.jq);
    lb_buf_deinit(&worker.input);
    lb_buf_deinit(&worker.output);
    lb_buf_deinit(&worker.fault);
    return 0;
}
