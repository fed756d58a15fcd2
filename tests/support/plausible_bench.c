/* plausible_bench.c - bodies of POST /api/event read in a small world. */
#include "tests/support/plausible_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEPTH 32

static void must(enum lb_err rc, const struct lb_error *err)
{
    if (rc != LB_OK) {
        fail_msg("%s", err->text);
    }
}

int64_t plausible_bench_put_site(struct plausible_bench *bench,
                                 const char *id,
                                 const char *settings)
{
    const struct catalog_site_draft draft = {
        .id = id, .timezone = "UTC", .settings_json = settings};
    struct lb_error err = {LB_OK, ""};
    int64_t number = 0;

    must(catalog_put_site(bench->holder, writer_db(bench->writer), &draft,
                          &number, &err),
         &err);
    return number;
}

static void put_link(struct plausible_bench *bench,
                     int64_t site,
                     const char *slug,
                     const char *url)
{
    const struct catalog_link_draft draft = {.site = site,
                                             .slug = slug,
                                             .title = "",
                                             .url = url,
                                             .intent = "",
                                             .is_enabled = true};
    struct lb_error err = {LB_OK, ""};

    must(
        catalog_put_link(bench->holder, writer_db(bench->writer), &draft, &err),
        &err);
}

int plausible_bench_open(void **state)
{
    const struct writer_limits limits = {
        .queue_events = 100, .queue_bytes = 1 << 20, .group_events = 100};
    struct plausible_bench *bench = calloc(1, sizeof(*bench));
    struct lb_error err = {LB_OK, ""};
    struct db *db;
    int64_t alice;

    assert_non_null(bench);
    must(writer_new(NULL, ":memory:", &limits, &bench->writer, &err), &err);
    must(catalog_holder_new(bench->writer, &bench->holder, &err), &err);
    db = writer_db(bench->writer);
    must(db_begin(db, &err), &err);
    alice = plausible_bench_put_site(
        bench, "alice.bio", "{\"lead_events\":[\"Signup\",\"Sign up\"]}");
    put_link(bench, alice, "shop", "https://Shop.example");
    put_link(bench, alice, "call", "https://cal.example/alice?x=1");
    put_link(bench, alice, "gone", "https://gone.example/");
    must(catalog_remove_link(bench->holder, db, alice, "gone", &err), &err);
    (void)plausible_bench_put_site(bench, "bob.bio", "{}");
    must(db_commit(db, &err), &err);
    must(catalog_load(db, &bench->catalog, &err), &err);
    bench->arena = lb_arena_new((size_t)8 << 20);
    assert_non_null(bench->arena);
    *state = bench;
    return 0;
}

int plausible_bench_close(void **state)
{
    struct plausible_bench *bench = *state;

    lb_arena_free(bench->arena);
    catalog_unref(bench->catalog);
    catalog_holder_free(bench->holder);
    writer_free(bench->writer);
    free(bench);
    return 0;
}

/* What the body makes: native events, a line each; or the faults. */
static const char *
read_bytes(struct plausible_bench *bench, const char *body, size_t len)
{
    struct lb_buf out;
    enum lb_err rc;

    lb_arena_clear(bench->arena);
    rc = plausible_read(&bench->read, body, len, DEPTH, bench->catalog,
                        bench->arena);
    lb_buf_init(&out, PLAUSIBLE_BENCH_TEXT - 1);
    if (rc == LB_OK) {
        for (size_t i = 0; i < bench->read.site_count; i++) {
            lb_buf_add_text(&out, i == 0 ? "" : "\n");
            plausible_write_event(&bench->read, i, &out);
        }
    } else {
        assert_int_equal(rc, LB_EINVAL);
        plausible_write_faults(&bench->read, &out);
    }
    assert_false(out.is_failed);
    memcpy(bench->text, lb_buf_text(&out), out.len + 1);
    lb_buf_deinit(&out);
    return bench->text;
}

const char *plausible_bench_read(struct plausible_bench *bench,
                                 const char *body)
{
    return read_bytes(bench, body, strlen(body));
}

const char *plausible_bench_read_long(struct plausible_bench *bench,
                                      const char *const parts[3],
                                      size_t count)
{
    struct lb_buf body;

    lb_buf_init(&body, PLAUSIBLE_BODY_BYTES);
    lb_buf_add_text(&body, parts[0]);
    for (size_t i = 0; i < count; i++) {
        lb_buf_add_text(&body, parts[1]);
    }
    lb_buf_add_text(&body, parts[2]);
    assert_false(body.is_failed);
    (void)read_bytes(bench, lb_buf_text(&body), body.len);
    lb_buf_deinit(&body);
    return bench->text;
}
