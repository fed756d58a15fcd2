/* geo_watch.c - one thread that looks at the files. */
#include "geo/geo_watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define NAME "geo.mmdb"
#define PATH_BYTES (LB_CONFIG_TEXT_BYTES + 4096)

/* How a file looked; all 0 when it was not there. */
struct print {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec written;
};

struct paths {
    size_t count;
    char *values[GEO_FILES]; /* owned */
};

struct geo_watch {
    pthread_mutex_t lock; /* over all that follows, up to the mark */
    pthread_cond_t has_news;
    const struct geo *geo; /* a reference of its own; NULL: none */
    const char *state;
    struct paths paths;
    bool is_asked; /* to open anew, whatever the files look like */
    bool is_stopping;
    /* Fixed, and the thread's own from here. */
    struct print prints[GEO_FILES];
    pthread_t thread;
    bool is_running;
    int64_t poll_ms;
    char fallback[PATH_BYTES];
};

static void clear_paths(struct paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        free(paths->values[i]);
    }
    paths->count = 0;
}

static bool add_path(struct paths *paths, const char *path)
{
    char *copy = paths->count == GEO_FILES ? NULL : strdup(path);

    if (copy != NULL) {
        paths->values[paths->count++] = copy;
    }
    return copy != NULL;
}

/* The setting's list, or the file in the data directory. */
static bool fill_paths(const struct geo_watch *watch,
                       const struct lb_config_list *list,
                       struct paths *paths_out)
{
    bool is_whole = true;

    paths_out->count = 0;
    for (size_t i = 0; i < list->count && is_whole; i++) {
        is_whole = add_path(paths_out, list->values[i]);
    }
    if (list->count == 0) {
        is_whole = add_path(paths_out, watch->fallback);
    }
    if (!is_whole) {
        clear_paths(paths_out);
    }
    return is_whole;
}

static void look(const struct paths *paths, struct print prints[GEO_FILES])
{
    memset(prints, 0, GEO_FILES * sizeof(*prints));
    for (size_t i = 0; i < paths->count; i++) {
        struct stat about;

        if (stat(paths->values[i], &about) == 0) {
            prints[i].device = about.st_dev;
            prints[i].inode = about.st_ino;
            prints[i].size = about.st_size;
            prints[i].written = about.st_mtim;
        }
    }
}

static void say_opened(const struct geo *geo)
{
    for (size_t i = 0; i < geo_file_count(geo); i++) {
        struct geo_file file = geo_file_at(geo, i);
        char made[LB_CLOCK_TEXT_BYTES];
        char type[140];

        lb_clock_format(file.built_at_ms, made);
        lb_log(LB_LOG_INFO, "geo_opened", "type=%s built=%.10s",
               lb_log_quote(file.type, type, sizeof(type)), made);
    }
}

/* Opens what paths name and puts it in the place of what was open. */
static void open_anew(struct geo_watch *watch, const struct paths *paths)
{
    struct geo *geo = NULL;
    const struct geo *old;
    struct lb_error err = {LB_OK, ""};
    enum lb_err rc = geo_open((const char *const *)paths->values, paths->count,
                              GEO_CHECK_TYPE, &geo, &err);

    if (rc == LB_OK) {
        say_opened(geo);
    } else {
        char text[LB_ERROR_TEXT_BYTES * 2];

        lb_log(rc == LB_ENOENT ? LB_LOG_INFO : LB_LOG_WARN, "geo_not_opened",
               "text=%s", lb_log_quote(err.text, text, sizeof(text)));
    }
    (void)pthread_mutex_lock(&watch->lock);
    old = watch->geo;
    if (rc == LB_OK) {
        watch->geo = geo;
        watch->state = "ok";
    } else {
        watch->state = rc == LB_ENOENT && old == NULL ? "missing" : "failing";
        old = NULL; /* stays */
    }
    (void)pthread_mutex_unlock(&watch->lock);
    geo_close(old);
}

static bool copy_paths(const struct paths *from, struct paths *to_out)
{
    to_out->count = 0;
    for (size_t i = 0; i < from->count; i++) {
        if (!add_path(to_out, from->values[i])) {
            clear_paths(to_out);
            return false;
        }
    }
    return true;
}

/* Waits for the next look; false at the end. */
static bool wait_for_next(struct geo_watch *watch,
                          struct paths *paths_out,
                          bool *is_asked_out)
{
    struct timespec until;
    bool goes_on;
    int status = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(watch->poll_ms / 1000);
    until.tv_nsec += (long)(watch->poll_ms % 1000 * 1000000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&watch->lock);
    while (!watch->is_stopping && !watch->is_asked && status != ETIMEDOUT) {
        status = pthread_cond_timedwait(&watch->has_news, &watch->lock, &until);
    }
    goes_on = !watch->is_stopping;
    *is_asked_out = watch->is_asked;
    watch->is_asked = false;
    if (!copy_paths(&watch->paths, paths_out)) {
        watch->is_asked = *is_asked_out; /* once more at the next look */
    }
    (void)pthread_mutex_unlock(&watch->lock);
    return goes_on;
}

static void *run(void *arg)
{
    struct geo_watch *watch = arg;
    struct paths paths = {0};
    bool is_asked = false;

    while (wait_for_next(watch, &paths, &is_asked)) {
        struct print prints[GEO_FILES];

        look(&paths, prints);
        if (paths.count > 0 &&
            (is_asked || memcmp(prints, watch->prints, sizeof(prints)) != 0)) {
            memcpy(watch->prints, prints, sizeof(prints));
            open_anew(watch, &paths);
        }
        clear_paths(&paths);
    }
    clear_paths(&paths);
    return NULL;
}

static enum lb_err start(struct geo_watch *watch, struct lb_error *err)
{
    pthread_condattr_t attributes;

    (void)pthread_mutex_init(&watch->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watch->has_news, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    look(&watch->paths, watch->prints);
    open_anew(watch, &watch->paths);
    if (pthread_create(&watch->thread, NULL, run, watch) != 0) {
        return lb_err_set(err, LB_ENOMEM, "no thread to be had");
    }
    watch->is_running = true;
    return LB_OK;
}

enum lb_err geo_watch_new(const struct lb_config_list *paths,
                          const char *data_dir,
                          int64_t poll_ms,
                          struct geo_watch **watch_out,
                          struct lb_error *err)
{
    struct geo_watch *watch = calloc(1, sizeof(*watch));
    enum lb_err rc;

    *watch_out = NULL;
    if (watch == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    watch->poll_ms = poll_ms;
    watch->state = "missing";
    (void)snprintf(watch->fallback, sizeof(watch->fallback), "%s/" NAME,
                   data_dir);
    rc = fill_paths(watch, paths, &watch->paths)
             ? start(watch, err)
             : lb_err_set(err, LB_EINVAL,
                          "geo.database: at most %d files make a database",
                          GEO_FILES);
    if (rc != LB_OK) {
        geo_watch_free(watch);
        return rc;
    }
    *watch_out = watch;
    return LB_OK;
}

void geo_watch_free(struct geo_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    if (watch->is_running) {
        (void)pthread_mutex_lock(&watch->lock);
        watch->is_stopping = true;
        (void)pthread_cond_signal(&watch->has_news);
        (void)pthread_mutex_unlock(&watch->lock);
        (void)pthread_join(watch->thread, NULL);
        (void)pthread_cond_destroy(&watch->has_news);
        (void)pthread_mutex_destroy(&watch->lock);
    }
    geo_close(watch->geo);
    clear_paths(&watch->paths);
    free(watch);
}

void geo_watch_reload(struct geo_watch *watch,
                      const struct lb_config_list *paths)
{
    struct paths fresh;

    if (!fill_paths(watch, paths, &fresh)) {
        lb_log(LB_LOG_WARN, "geo_not_opened",
               "text=\"geo.database: at most %d files make a database\"",
               GEO_FILES);
        return;
    }
    (void)pthread_mutex_lock(&watch->lock);
    clear_paths(&watch->paths);
    watch->paths = fresh;
    watch->is_asked = true;
    (void)pthread_cond_signal(&watch->has_news);
    (void)pthread_mutex_unlock(&watch->lock);
}

const struct geo *geo_watch_current(struct geo_watch *watch)
{
    const struct geo *geo;

    if (watch == NULL) {
        return NULL;
    }
    (void)pthread_mutex_lock(&watch->lock);
    geo = geo_ref(watch->geo);
    (void)pthread_mutex_unlock(&watch->lock);
    return geo;
}

const char *geo_watch_state(void *watch)
{
    struct geo_watch *mine = watch;
    const char *state;

    if (mine == NULL) {
        return "missing";
    }
    (void)pthread_mutex_lock(&mine->lock);
    state = mine->state;
    (void)pthread_mutex_unlock(&mine->lock);
    return state;
}
