/* datacentre.c - the list of networks, counted by its users. */
#include "ingest/datacentre.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"

struct datacentre_list {
    struct lb_ip_set *networks; /* owned */
    int references;             /* the loop thread's */
};

struct datacentre {
    struct datacentre_list *list; /* a reference of its own; NULL: none */
    unsigned asked;               /* reloads; only the last one's list counts */
};

/* One reload. */
struct reading {
    struct pool_job job; /* first: jobs are cast back */
    struct datacentre *datacentre;
    unsigned number;
    enum lb_err rc;
    struct lb_error err;
    struct lb_ip_set *networks; /* owned */
    char path[];
};

static enum lb_err
read_file(const char *path, struct lb_buf *text, struct lb_error *err)
{
    FILE *file = fopen(path, "rbe");
    char chunk[16384];
    bool is_cut = false;
    size_t got;

    if (file == NULL) {
        char reason[128];

        return lb_err_set(err, LB_ENOENT, "can't be opened: %s",
                          strerror_r(errno, reason, sizeof(reason)));
    }
    while (!is_cut && (got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        lb_buf_add(text, chunk, got);
        is_cut = text->is_failed;
    }
    is_cut = is_cut || ferror(file) != 0;
    (void)fclose(file);
    return is_cut ? lb_err_set(err, LB_ELIMIT,
                               "can't be read whole, or has over %zu bytes",
                               DATACENTRE_FILE_BYTES)
                  : LB_OK;
}

/* *networks_out is NULL for path "". */
static enum lb_err read_networks(const char *path,
                                 struct lb_ip_set **networks_out,
                                 struct lb_error *err)
{
    struct lb_buf text;
    enum lb_err rc;

    *networks_out = NULL;
    if (path[0] == '\0') {
        return LB_OK;
    }
    lb_buf_init(&text, DATACENTRE_FILE_BYTES);
    rc = read_file(path, &text, err);
    rc = rc == LB_OK
             ? lb_ip_set_parse(lb_buf_text(&text), text.len, networks_out, err)
             : rc;
    lb_buf_deinit(&text);
    return rc;
}

static void say(const char *path,
                const struct lb_ip_set *networks,
                enum lb_err rc,
                const struct lb_error *err)
{
    char quoted[1024];
    char text[LB_ERROR_TEXT_BYTES * 2];

    (void)lb_log_quote(path, quoted, sizeof(quoted));
    if (rc != LB_OK) {
        lb_log(LB_LOG_WARN, "datacentre_list",
               "file=%s text=%s hint=\"what was read before stays\"", quoted,
               lb_log_quote(err->text, text, sizeof(text)));
    } else if (networks != NULL) {
        lb_log(LB_LOG_INFO, "datacentre_list", "file=%s ranges=%zu", quoted,
               lb_ip_set_count(networks));
    }
}

void datacentre_release(struct datacentre_list *list)
{
    if (list != NULL && --list->references == 0) {
        lb_ip_set_free(list->networks);
        free(list);
    }
}

/* Takes networks over, NULL for none, in the place of what was there. */
static enum lb_err replace(struct datacentre *datacentre,
                           struct lb_ip_set *networks)
{
    struct datacentre_list *list = NULL;

    if (networks != NULL) {
        list = calloc(1, sizeof(*list));
        if (list == NULL) {
            lb_ip_set_free(networks);
            return LB_ENOMEM;
        }
        list->networks = networks;
        list->references = 1;
    }
    datacentre_release(datacentre->list);
    datacentre->list = list;
    return LB_OK;
}

enum lb_err datacentre_new(const char *path,
                           struct datacentre **datacentre_out,
                           struct lb_error *err)
{
    struct datacentre *datacentre = calloc(1, sizeof(*datacentre));
    struct lb_ip_set *networks = NULL;
    enum lb_err rc;

    *datacentre_out = datacentre;
    if (datacentre == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = read_networks(path, &networks, err);
    say(path, networks, rc, err);
    if (replace(datacentre, networks) != LB_OK) {
        datacentre_free(datacentre);
        *datacentre_out = NULL;
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    return LB_OK;
}

void datacentre_free(struct datacentre *datacentre)
{
    if (datacentre != NULL) {
        datacentre_release(datacentre->list);
        free(datacentre);
    }
}

static void run_reading(struct pool_job *job, struct db *db)
{
    struct reading *reading = (struct reading *)job;

    (void)db;
    reading->rc =
        read_networks(reading->path, &reading->networks, &reading->err);
}

static void
done_reading(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct reading *reading = (struct reading *)job;
    struct datacentre *datacentre = reading->datacentre;

    (void)rc;
    (void)err;
    if (reading->number != datacentre->asked) {
        lb_ip_set_free(reading->networks);
    } else {
        say(reading->path, reading->networks, reading->rc, &reading->err);
        if (reading->rc == LB_OK &&
            replace(datacentre, reading->networks) != LB_OK) {
            lb_log(LB_LOG_WARN, "datacentre_list", "text=\"out of memory\"");
        }
    }
    free(reading);
}

void datacentre_reload(struct datacentre *datacentre,
                       const char *path,
                       struct pool *pool)
{
    size_t len = strlen(path) + 1;
    struct reading *reading = calloc(1, sizeof(*reading) + len);

    if (reading == NULL) {
        lb_log(LB_LOG_WARN, "datacentre_list", "text=\"out of memory\"");
        return;
    }
    memcpy(reading->path, path, len);
    reading->datacentre = datacentre;
    reading->number = ++datacentre->asked;
    reading->job.run = run_reading;
    reading->job.done = done_reading;
    pool_submit(pool, &reading->job);
}

struct datacentre_list *datacentre_current(struct datacentre *datacentre)
{
    if (datacentre == NULL || datacentre->list == NULL) {
        return NULL;
    }
    datacentre->list->references++;
    return datacentre->list;
}

bool datacentre_list_has(const struct datacentre_list *list,
                         const struct lb_ip *address)
{
    return list != NULL && address->len != 0 &&
           lb_ip_set_contains(list->networks, address);
}
