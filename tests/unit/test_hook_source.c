/* test_hook_source.c - sources as the configuration has them, and their
 * secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/hook_source.h"
#include "tests/support/ingest_world.h"
#include "tests/support/temp_dir.h"

static cJSON *parse(const char *text)
{
    cJSON *json = cJSON_Parse(text);

    assert_non_null(json);
    return json;
}

static void a_kind_sets_what_the_source_leaves_out(void **state)
{
    static const struct {
        const char *body;
        enum hook_sign_scheme scheme;
        const char *header;
        enum hook_sign_encoding encoding;
        int64_t tolerance_s;
        enum hook_event_dedupe dedupe;
        int64_t daily_cap;
    } rows[] = {
        {"{\"kind\":\"linkmi\"}", HOOK_SIGN_HMAC, "X-Linkmi-Signature",
         HOOK_SIGN_AUTO, 300, HOOK_EVENT_DEDUPE_LEADS, 1000},
        {"{\"kind\":\"linkme\"}", HOOK_SIGN_HMAC, "X-LinkMe-Signature",
         HOOK_SIGN_SHA256_HEX, 300, HOOK_EVENT_DEDUPE_LEADS, 0},
        {"{\"kind\":\"dub\"}", HOOK_SIGN_HMAC, "Dub-Signature", HOOK_SIGN_HEX,
         300, HOOK_EVENT_DEDUPE_LEADS, 0},
        {"{\"kind\":\"bitly\"}", HOOK_SIGN_URL_SECRET, NULL, HOOK_SIGN_AUTO,
         300, HOOK_EVENT_DEDUPE_LEADS, 0},
        {"{\"kind\":\"linkmi\",\"header\":\"X-Other\",\"encoding\":\"base64\","
         "\"dedupe\":\"off\",\"daily_cap\":20}",
         HOOK_SIGN_HMAC, "X-Other", HOOK_SIGN_BASE64, 300,
         HOOK_EVENT_DEDUPE_OFF, 20},
        {"{\"kind\":\"linkmi\",\"daily_cap\":0}", HOOK_SIGN_HMAC,
         "X-Linkmi-Signature", HOOK_SIGN_AUTO, 300, HOOK_EVENT_DEDUPE_LEADS, 0},
        {"{\"kind\":\"generic\",\"scheme\":\"standard\",\"tolerance\":"
         "\"1500ms\",\"dedupe\":\"body\"}",
         HOOK_SIGN_STANDARD, NULL, HOOK_SIGN_AUTO, 2, HOOK_EVENT_DEDUPE_BODY,
         0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cJSON *body = parse(rows[i].body);
        struct hook_source source;
        struct lb_error err = {LB_OK, ""};

        (void)cJSON_AddStringToObject(body, "id", "s");
        (void)cJSON_AddStringToObject(body, "site", "alice.bio");
        assert_int_equal(hook_source_read(body, &source, &err), LB_OK);
        assert_int_equal(source.sign.scheme, rows[i].scheme);
        assert_int_equal(source.sign.encoding, rows[i].encoding);
        assert_int_equal(source.sign.tolerance_s, rows[i].tolerance_s);
        assert_int_equal(source.dedupe, rows[i].dedupe);
        assert_int_equal(source.daily_cap, rows[i].daily_cap);
        assert_int_equal(source.sign.secret_count, 0);
        if (rows[i].header == NULL) {
            assert_null(source.sign.header);
        } else {
            assert_string_equal(source.sign.header, rows[i].header);
        }
        cJSON_Delete(body);
    }
}

#define SOURCE(more)                                                           \
    "{\"id\":\"s\",\"site\":\"alice.bio\",\"kind\":\"linkmi\"," more "}"

static void secrets_come_from_variables_in_their_order(void **state)
{
    cJSON *body = parse(SOURCE("\"secrets_env\":[\"HOOK_NEW\",\"HOOK_OLD\"]"));
    struct hook_source source;
    struct lb_error err = {LB_OK, ""};

    (void)state;
    assert_int_equal(setenv("HOOK_NEW", "new one", 1), 0);
    assert_int_equal(setenv("HOOK_OLD", "old", 1), 0);
    assert_int_equal(hook_source_read(body, &source, &err), LB_OK);

    assert_int_equal(source.sign.secret_count, 2);
    assert_int_equal(source.sign.secrets[0].len, 7);
    assert_memory_equal(source.sign.secrets[0].bytes, "new one", 7);
    assert_memory_equal(source.sign.secrets[1].bytes, "old", 3);

    assert_int_equal(unsetenv("HOOK_OLD"), 0);
    assert_int_equal(hook_source_read(body, &source, &err), LB_ENOTFOUND);
    assert_non_null(strstr(err.text, "HOOK_OLD"));
    assert_null(strstr(err.text, "new one"));
    cJSON_Delete(body);
}

static void a_file_of_secrets_is_read_anew_each_time(void **state)
{
    static const struct {
        const char *text; /* NULL: no file */
        enum lb_err want;
        size_t count;
    } rows[] = {{"one\n", LB_OK, 1},
                {"two\none\n", LB_OK, 2},
                {"three\ntwo\none\n", LB_EINVAL, 2},
                {"\n", LB_ENOTFOUND, 0},
                {NULL, LB_ENOENT, 0}};
    char dir[TEMP_DIR_BYTES];
    char path[TEMP_DIR_BYTES + 8];
    char text[256];
    cJSON *body;

    (void)state;
    temp_dir_make(dir);
    (void)snprintf(path, sizeof(path), "%s/s", dir);
    (void)snprintf(text, sizeof(text), SOURCE("\"secrets_file\":\"%s\""), path);
    body = parse(text);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        FILE *file = rows[i].text == NULL ? NULL : fopen(path, "wbe");
        struct hook_source source;
        struct lb_error err = {LB_OK, ""};

        if (file == NULL) {
            assert_int_equal(remove(path), 0);
        } else {
            assert_true(fputs(rows[i].text, file) >= 0);
            assert_int_equal(fclose(file), 0);
        }
        assert_int_equal(hook_source_read(body, &source, &err), rows[i].want);
        assert_int_equal(source.sign.secret_count, rows[i].count);
    }
    temp_dir_remove(dir);
    cJSON_Delete(body);
}

static void a_kind_of_another_version_is_an_error(void **state)
{
    cJSON *body =
        parse("{\"id\":\"s\",\"site\":\"alice.bio\",\"kind\":\"linktree\"}");
    struct hook_source source;
    struct lb_error err = {LB_OK, ""};

    (void)state;
    assert_int_equal(hook_source_read(body, &source, &err), LB_EINVAL);
    assert_int_equal(source.sign.secret_count, 0);
    cJSON_Delete(body);
}

static enum lb_err put_sources(void *ctx, struct db *db, struct lb_error *err)
{
    static const struct {
        const char *id;
        const char *body;
    } rows[] = {{"s", SOURCE("\"secrets_env\":[\"HOOK_NEW\"]")},
                {"bad", "{\"id\":\"bad\",\"site\":\"alice.bio\",\"kind\":"
                        "\"linktree\"}"},
                {"poor",
                 "{\"id\":\"poor\",\"site\":\"alice.bio\",\"kind\":\"dub\","
                 "\"secrets_env\":[\"HOOK_NONE\"]}"}};
    struct ingest_world *world = ctx;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < 3 && rc == LB_OK; i++) {
        const struct catalog_object_draft draft = {CATALOG_SOURCE, rows[i].id,
                                                   rows[i].body, true, false};

        rc = catalog_put_object(world->holder, db, &draft, err);
    }
    return rc;
}

static void a_set_holds_what_can_be_read(void **state)
{
    struct ingest_world world;
    struct catalog *catalog;
    struct hook_source_set *set;

    (void)state;
    assert_int_equal(setenv("HOOK_NEW", "new one", 1), 0);
    (void)unsetenv("HOOK_NONE");
    ingest_world_open(&world, ":memory:");
    assert_int_equal(ingest_world_run(&world, put_sources, &world), LB_OK);
    catalog = catalog_current(world.holder);
    set = hook_source_set_new(catalog);
    catalog_unref(catalog);

    assert_non_null(hook_source_set_find(set, "s"));
    assert_int_equal(hook_source_set_find(set, "s")->sign.secret_count, 1);
    assert_true(hook_source_set_find(set, "s")->number > 0);
    assert_null(hook_source_set_find(set, "bad"));
    assert_null(hook_source_set_find(set, ""));
    assert_int_equal(hook_source_set_find(set, "poor")->sign.secret_count, 0);
    assert_non_null(
        catalog_site_find(hook_source_set_catalog(set), "alice.bio"));
    hook_source_set_unref(hook_source_set_ref(set));
    assert_non_null(hook_source_set_find(set, "s"));
    hook_source_set_unref(set);
    hook_source_set_unref(NULL);
    ingest_world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kind_sets_what_the_source_leaves_out),
        cmocka_unit_test(secrets_come_from_variables_in_their_order),
        cmocka_unit_test(a_file_of_secrets_is_read_anew_each_time),
        cmocka_unit_test(a_kind_of_another_version_is_an_error),
        cmocka_unit_test(a_set_holds_what_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
