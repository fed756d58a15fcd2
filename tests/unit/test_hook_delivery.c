/* test_hook_delivery.c - one delivery: the signature comes first, then its
 * bytes become events or a fault of the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "ingest/hook_delivery.h"
#include "tests/support/ingest_world.h"

#define SECRET "a secret of the tests"

struct sent {
    struct ingest_world world;
    cJSON *config; /* owned */
    struct hook_source source;
    struct hook_delivery delivery;
    char signature[2 * LB_SECRET_SHA256_BYTES + 1];
};

static int set_up(void **state)
{
    static struct sent sent;

    memset(&sent, 0, sizeof(sent));
    lb_clock_fake_wall(INGEST_WORLD_NOW_MS);
    ingest_world_open(&sent.world, ":memory:");
    hook_delivery_init(&sent.delivery);
    *state = &sent;
    return 0;
}

static int tear_down(void **state)
{
    struct sent *sent = *state;

    hook_delivery_deinit(&sent->delivery);
    cJSON_Delete(sent->config);
    ingest_world_close(&sent->world);
    lb_clock_fake_wall(-1);
    return 0;
}

static void sign(struct sent *sent, const void *body, size_t len)
{
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    struct lb_secret_hmac hmac;
    SHA256_CTX message;

    lb_secret_hmac_init(&hmac, SECRET, strlen(SECRET));
    lb_secret_hmac_start(&hmac, &message);
    lb_secret_hmac_add(&message, body, len);
    lb_secret_hmac_finish(&hmac, &message, digest);
    lb_text_to_hex(digest, sizeof(digest), sent->signature);
}

/* A source of the given configuration, and a delivery of these bytes with its
 * right signature, not yet looked at. */
static struct hook_delivery *
bring(struct sent *sent, const char *config, const void *body, size_t len)
{
    struct hook_delivery *delivery = &sent->delivery;
    struct lb_error err = {LB_OK, ""};

    assert_int_equal(setenv("HOOK_SECRET", SECRET, 1), 0);
    cJSON_Delete(sent->config);
    sent->config = cJSON_Parse(config);
    assert_non_null(sent->config);
    (void)cJSON_AddStringToObject(sent->config, "id", "s");
    (void)cJSON_AddStringToObject(sent->config, "site", "alice.bio");
    cJSON_AddItemToObject(sent->config, "secrets_env",
                          cJSON_Parse("[\"HOOK_SECRET\"]"));
    assert_int_equal(hook_source_read(sent->config, &sent->source, &err),
                     LB_OK);
    hook_delivery_deinit(delivery);
    hook_delivery_init(delivery);
    delivery->source = &sent->source;
    delivery->is_packing_known = true;
    ingest_world_context(&sent->world, &delivery->context);
    delivery->limits = (struct batch_limits){.body_inflated_bytes = 65536,
                                             .room_bytes = 65536,
                                             .events = 10,
                                             .event_bytes = 4096,
                                             .json_depth = 8};
    sign(sent, body, len);
    delivery->proof =
        (struct hook_sign_proof){.value = sent->signature,
                                 .body = body,
                                 .len = len,
                                 .now_s = INGEST_WORLD_NOW_MS / LB_MS_PER_S};
    return delivery;
}

static struct hook_delivery *
bring_text(struct sent *sent, const char *config, const char *body)
{
    return bring(sent, config, body, strlen(body));
}

#define LINKMI "{\"kind\":\"linkmi\"}"
#define CLICK                                                                  \
    "{\"event\":\"link.click\",\"payload\":{\"linkId\":\"shop\"},"             \
    "\"timestamp\":\"2026-11-24T08:59:00Z\"}"

static void a_right_delivery_becomes_events(void **state)
{
    struct hook_delivery *delivery = bring_text(*state, LINKMI, CLICK);

    hook_delivery_look(delivery);

    assert_true(hook_delivery_is_right(delivery));
    assert_int_equal(delivery->encoding, HOOK_SIGN_HEX);
    assert_int_equal(delivery->batch.status, 0);
    assert_int_equal(delivery->batch.event_count, 1);
    assert_string_equal(delivery->batch.events[0]->entry.text[ENTRY_TEXT_LINK],
                        "shop");
    assert_int_equal(delivery->batch.events[0]->entry.ts_at_ms,
                     INGEST_WORLD_NOW_MS - LB_MS_PER_MIN);
    assert_true(delivery->is_repeatable);
    assert_int_equal(strlen(delivery->body_id), HOOK_EVENT_ID_BYTES - 1);
}

static void nothing_of_a_wrong_delivery_is_read(void **state)
{
    static const char *const bodies[] = {CLICK, "{", "", "\xff", "[[[[[[[[[["};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct hook_delivery *delivery = bring_text(*state, LINKMI, bodies[i]);
        struct sent *sent = *state;

        sent->signature[0] = sent->signature[0] == '0' ? '1' : '0';
        delivery->is_packing_known = false;
        delivery->packing = LB_INFLATE_GZIP;
        hook_delivery_look(delivery);

        assert_false(hook_delivery_is_right(delivery));
        assert_int_equal(delivery->verdict, HOOK_SIGN_WRONG);
        assert_int_equal(delivery->batch.status, 0);
        assert_int_equal(delivery->batch.sent_count, 0);
        assert_string_equal(delivery->body_id, "");
    }
}

static void a_source_that_is_none_takes_nothing(void **state)
{
    struct hook_delivery *delivery = bring_text(*state, LINKMI, CLICK);

    delivery->source = NULL;
    hook_delivery_look(delivery);

    assert_false(hook_delivery_is_right(delivery));
    assert_int_equal(delivery->batch.sent_count, 0);
}

static void a_body_that_makes_no_events_is_a_fault(void **state)
{
    static const struct {
        const char *config;
        const char *body;
        int status;
        const char *code;
        const char *limit;
    } cases[] = {
        {LINKMI, "", 400, "bad_json", NULL},
        {LINKMI, "{\"event\":", 400, "bad_json", NULL},
        {LINKMI, "{'event':1}", 400, "bad_json", NULL},
        {LINKMI, "[[[[[[[[[[1]]]]]]]]]]", 400, "json_too_deep", "json_depth"},
        {"{\"kind\":\"generic\",\"scheme\":\"hmac\",\"header\":\"X\","
         "\"each\":\"$.items\",\"map\":{\"type\":\"view\"}}",
         "{\"item\":[]}", 422, "invalid", NULL},
        {"{\"kind\":\"generic\",\"scheme\":\"hmac\",\"header\":\"X\","
         "\"each\":\"$\",\"map\":{\"type\":\"view\"}}",
         "[1,2,3,4,5,6,7,8,9,10,11]", 413, "too_many_events",
         "events_per_request"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hook_delivery *delivery =
            bring_text(*state, cases[i].config, cases[i].body);

        hook_delivery_look(delivery);

        assert_true(hook_delivery_is_right(delivery));
        assert_int_equal(delivery->batch.status, cases[i].status);
        assert_string_equal(delivery->batch.code, cases[i].code);
        if (cases[i].limit == NULL) {
            assert_null(delivery->batch.limit);
        } else {
            assert_string_equal(delivery->batch.limit, cases[i].limit);
        }
    }
}

static void a_coding_that_is_not_taken_is_told_after_the_signature(void **state)
{
    struct hook_delivery *delivery = bring_text(*state, LINKMI, CLICK);

    delivery->is_packing_known = false;
    hook_delivery_look(delivery);

    assert_true(hook_delivery_is_right(delivery));
    assert_int_equal(delivery->batch.status, 415);
}

/* The signature is over the packed bytes. */
static void a_packed_body_is_unpacked_after_the_signature(void **state)
{
    struct lb_inflate_packer *packer = lb_inflate_packer_new(LB_INFLATE_GZIP);
    struct hook_delivery *delivery;
    struct lb_buf packed;

    lb_buf_init(&packed, (size_t)1024 * 1024);
    assert_int_equal(
        lb_inflate_packer_add(packer, CLICK, strlen(CLICK), true, &packed),
        LB_OK);
    lb_inflate_packer_free(packer);
    delivery = bring(*state, LINKMI, packed.data, packed.len);
    delivery->packing = LB_INFLATE_GZIP;
    hook_delivery_look(delivery);
    assert_int_equal(delivery->batch.event_count, 1);

    delivery = bring(*state, LINKMI, packed.data, packed.len - 3);
    delivery->packing = LB_INFLATE_GZIP;
    hook_delivery_look(delivery);
    assert_true(hook_delivery_is_right(delivery));
    assert_int_equal(delivery->batch.status, 400);
    assert_string_equal(delivery->batch.code, "bad_encoding");
    lb_buf_deinit(&packed);
}

static void an_event_alone_may_be_refused(void **state)
{
    struct hook_delivery *delivery = bring_text(
        *state,
        "{\"kind\":\"generic\",\"scheme\":\"hmac\",\"header\":\"X\",\"each\":"
        "\"$\",\"map\":{\"type\":\"click\",\"link\":\"$.l\",\"ts\":\"$.t\"}}",
        "[{\"l\":\"a\"},{\"l\":{}},{\"l\":\"b\",\"t\":\"2026-11-20T00:00:00Z\"}"
        "]");
    struct lb_buf answer;

    hook_delivery_look(delivery);

    assert_int_equal(delivery->batch.event_count, 1);
    assert_int_equal(delivery->batch.rejected_count, 2);
    lb_buf_init(&answer, 4096);
    assert_int_equal(batch_answer(&delivery->batch, &answer), 202);
    assert_non_null(strstr(lb_buf_text(&answer), "\"index\":1,\"code\":"
                                                 "\"bad_type\""));
    assert_non_null(strstr(lb_buf_text(&answer), "\"index\":2,\"code\":"
                                                 "\"too_old\""));
    lb_buf_deinit(&answer);
}

static void a_scan_is_marked(void **state)
{
    struct hook_delivery *delivery = bring_text(
        *state, "{\"kind\":\"dub\"}",
        "{\"id\":\"e\",\"event\":\"link.clicked\",\"createdAt\":"
        "\"2026-11-24T08:59:00Z\",\"data\":{\"click\":{\"qr\":true}}}");

    hook_delivery_look(delivery);

    assert_int_equal(delivery->batch.event_count, 1);
    assert_true(delivery->batch.events[0]->entry.is_qr);
}

/* Signs the delivery of "{}" under that id as Standard Webhooks do. */
static void sign_standard(struct sent *sent, const char *id, struct lb_buf *out)
{
    const struct hook_sign_secret *secret = &sent->source.sign.secrets[0];
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    struct lb_secret_hmac hmac;
    SHA256_CTX message;

    lb_secret_hmac_init(&hmac, secret->bytes, secret->len);
    lb_secret_hmac_start(&hmac, &message);
    lb_secret_hmac_add(&message, id, strlen(id));
    lb_secret_hmac_add(&message, ".1795510800.{}", 14);
    lb_secret_hmac_finish(&hmac, &message, digest);
    lb_buf_clear(out);
    lb_buf_add_text(out, "v1,");
    lb_secret_add_base64(out, digest, sizeof(digest));
    sent->delivery.proof.value = lb_buf_text(out);
    sent->delivery.proof.timestamp = "1795510800";
    sent->delivery.proof.id = id;
}

static void events_take_the_id_of_their_delivery_or_its_hash(void **state)
{
    static const struct {
        const char *id;
        const char *want; /* NULL: a hash */
    } cases[] = {{"msg_1", "msg_1"},
                 {"m23456789012345678901234567890123456789012345678",
                  "m23456789012345678901234567890123456789012345678"},
                 {"m234567890123456789012345678901234567890123456789", NULL}};
    struct sent *sent = *state;
    struct lb_buf value;

    lb_buf_init(&value, 128);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hook_delivery *delivery = bring_text(
            sent,
            "{\"kind\":\"generic\",\"scheme\":\"hmac\",\"header\":\"X\","
            "\"map\":{\"type\":\"click\"}}",
            "{}");
        const char *id;

        sent->source.sign.scheme = HOOK_SIGN_STANDARD;
        sent->source.sign.secret_count = 0;
        assert_true(hook_sign_add_secret(
            &sent->source.sign,
            "whsec_Z3Tfz3r8CJtu21sBCHuhVYJy24XFsfE/Z2+rYdMneig="));
        sign_standard(sent, cases[i].id, &value);
        hook_delivery_look(delivery);

        assert_true(hook_delivery_is_right(delivery));
        assert_int_equal(delivery->batch.event_count, 1);
        assert_false(delivery->is_repeatable);
        id = delivery->batch.events[0]->entry.text[ENTRY_TEXT_ID];
        if (cases[i].want == NULL) {
            assert_int_equal(strlen(id), HOOK_EVENT_ID_BYTES - 1);
            assert_memory_equal(id, "in_", 3);
        } else {
            assert_string_equal(id, cases[i].want);
        }
    }
    lb_buf_deinit(&value);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_right_delivery_becomes_events),
        TEST(nothing_of_a_wrong_delivery_is_read),
        TEST(a_source_that_is_none_takes_nothing),
        TEST(a_body_that_makes_no_events_is_a_fault),
        TEST(a_coding_that_is_not_taken_is_told_after_the_signature),
        TEST(a_packed_body_is_unpacked_after_the_signature),
        TEST(an_event_alone_may_be_refused),
        TEST(a_scan_is_marked),
        TEST(events_take_the_id_of_their_delivery_or_its_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
