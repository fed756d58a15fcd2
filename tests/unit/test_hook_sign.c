/* test_hook_sign.c - inbound signatures: the published vectors, each scheme's
 * faults, and two live secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/secret.h"
#include "ingest/hook_sign.h"

#define LINKMI                                                                 \
    "{\"event\":\"link.click\",\"payload\":{\"type\":\"link\",\"linkId\":"     \
    "\"lnk_42\",\"title\":\"Book call\",\"referer\":null},\"timestamp\":"      \
    "\"2026-03-25T14:32:01Z\"}"
#define SECRET "linkmi-secret-for-tests"
#define HEX "96c649fea75450f3cf40c2b4f9defb3322b59f1dc090eecf746d1145412d86a8"
#define UPPER "96C649FEA75450F3CF40C2B4F9DEFB3322B59F1DC090EECF746D1145412D86A8"
#define BASE64 "lsZJ/qdUUPPPQMK0+d77MyK1nx3AkO7PdG0RRUEthqg"
#define TIMED "b2ff4d99b854fb82552bbc00cf62cb9fc6f8515cc8ff990cc131f09631b5f416"
#define TIMED_S INT64_C(1795421702) /* 2026-11-23T08:15:02Z */

static struct hook_sign make(enum hook_sign_scheme scheme,
                             enum hook_sign_encoding encoding,
                             const char *secret)
{
    struct hook_sign sign = {.scheme = scheme,
                             .encoding = encoding,
                             .header = "X-Signature",
                             .tolerance_s = HOOK_SIGN_TOLERANCE_S};

    if (secret != NULL) {
        assert_true(hook_sign_add_secret(&sign, secret));
    }
    return sign;
}

static struct hook_sign_proof bring(const char *value)
{
    return (struct hook_sign_proof){.value = value,
                                    .body = LINKMI,
                                    .len = sizeof(LINKMI) - 1,
                                    .now_s = TIMED_S};
}

static void expect(const struct hook_sign *sign,
                   const struct hook_sign_proof *proof,
                   enum hook_sign_verdict want,
                   const char *what)
{
    enum hook_sign_encoding encoding;
    enum hook_sign_verdict got = hook_sign_verify(sign, proof, &encoding);

    if (got != want) {
        fail_msg("%s: %s, not %s", what, hook_sign_reason(got),
                 hook_sign_reason(want));
    }
}

static void an_hmac_is_taken_in_the_form_that_is_configured(void **state)
{
    static const struct {
        enum hook_sign_encoding encoding;
        const char *value;
        enum hook_sign_verdict want;
    } cases[] = {
        {HOOK_SIGN_AUTO, HEX, HOOK_SIGN_RIGHT},
        {HOOK_SIGN_AUTO, UPPER, HOOK_SIGN_RIGHT},
        {HOOK_SIGN_AUTO, "sha256=" HEX, HOOK_SIGN_RIGHT},
        {HOOK_SIGN_AUTO, "sha256=" UPPER, HOOK_SIGN_RIGHT},
        {HOOK_SIGN_AUTO, BASE64 "=", HOOK_SIGN_RIGHT},
        {HOOK_SIGN_AUTO, BASE64, HOOK_SIGN_RIGHT},
        {HOOK_SIGN_HEX, HEX, HOOK_SIGN_RIGHT},
        {HOOK_SIGN_HEX, UPPER, HOOK_SIGN_RIGHT},
        {HOOK_SIGN_HEX, "sha256=" HEX, HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_HEX, BASE64 "=", HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_SHA256_HEX, "sha256=" HEX, HOOK_SIGN_RIGHT},
        {HOOK_SIGN_SHA256_HEX, HEX, HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_SHA256_HEX, "SHA256=" HEX, HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_BASE64, BASE64 "=", HOOK_SIGN_RIGHT},
        {HOOK_SIGN_BASE64, BASE64, HOOK_SIGN_RIGHT},
        {HOOK_SIGN_BASE64, HEX, HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_BASE64, "sha256=" HEX, HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_AUTO, NULL, HOOK_SIGN_MISSING},
        {HOOK_SIGN_AUTO, "", HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_AUTO, "sha256=", HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_AUTO, "sha1=" HEX, HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_AUTO, HEX "0", HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_AUTO, HEX " ", HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_AUTO, BASE64 "==", HOOK_SIGN_MALFORMED},
        {HOOK_SIGN_AUTO, "lsZJ_qdUUPPPQMK0-d77MyK1nx3AkO7PdG0RRUEthqg",
         HOOK_SIGN_MALFORMED}, /* URL-safe */
        {HOOK_SIGN_AUTO,
         "06c649fea75450f3cf40c2b4f9defb3322b59f1dc090eecf746d1145412d86a8",
         HOOK_SIGN_WRONG},
        {HOOK_SIGN_AUTO,
         "g6c649fea75450f3cf40c2b4f9defb3322b59f1dc090eecf746d1145412d86a8",
         HOOK_SIGN_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hook_sign sign = make(HOOK_SIGN_HMAC, cases[i].encoding, SECRET);
        struct hook_sign_proof proof = bring(cases[i].value);

        expect(&sign, &proof, cases[i].want,
               cases[i].value == NULL ? "none" : cases[i].value);
    }
}

static void auto_tells_which_form_it_was(void **state)
{
    static const struct {
        const char *value;
        enum hook_sign_encoding want;
    } cases[] = {{HEX, HOOK_SIGN_HEX},
                 {"sha256=" HEX, HOOK_SIGN_SHA256_HEX},
                 {BASE64, HOOK_SIGN_BASE64}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hook_sign sign = make(HOOK_SIGN_HMAC, HOOK_SIGN_AUTO, SECRET);
        struct hook_sign_proof proof = bring(cases[i].value);
        enum hook_sign_encoding encoding = HOOK_SIGN_AUTO;

        assert_int_equal(hook_sign_verify(&sign, &proof, &encoding),
                         HOOK_SIGN_RIGHT);
        assert_int_equal(encoding, cases[i].want);
    }
}

static void a_changed_byte_of_the_body_is_noticed(void **state)
{
    struct hook_sign sign = make(HOOK_SIGN_HMAC, HOOK_SIGN_AUTO, SECRET);
    struct hook_sign_proof proof = bring(HEX);
    char body[sizeof(LINKMI) + 1];

    (void)state;
    proof.body = body;
    for (size_t i = 0; i + 1 < sizeof(LINKMI); i++) {
        memcpy(body, LINKMI, sizeof(LINKMI));
        body[i] ^= 1;
        expect(&sign, &proof, HOOK_SIGN_WRONG, "one bit");
    }
    memcpy(body, LINKMI "\n", sizeof(LINKMI) + 1);
    proof.len = sizeof(LINKMI);
    expect(&sign, &proof, HOOK_SIGN_WRONG, "a newline at the end");
}

static void a_signed_timestamp_must_be_near_now(void **state)
{
    static const struct {
        const char *timestamp;
        int64_t now_s;
        enum hook_sign_verdict want;
    } cases[] = {
        {"1795421702", TIMED_S, HOOK_SIGN_RIGHT},
        {"1795421702", TIMED_S + 300, HOOK_SIGN_RIGHT},
        {"1795421702", TIMED_S + 301, HOOK_SIGN_OLD}, /* 08:20:03Z */
        {"1795421702", TIMED_S - 300, HOOK_SIGN_RIGHT},
        {"1795421702", TIMED_S - 301, HOOK_SIGN_OLD},
        {"1795421703", TIMED_S, HOOK_SIGN_WRONG},
        {NULL, TIMED_S, HOOK_SIGN_MISSING},
        {"", TIMED_S, HOOK_SIGN_MALFORMED},
        {"+1795421702", TIMED_S, HOOK_SIGN_MALFORMED},
        {"01795421702", TIMED_S, HOOK_SIGN_MALFORMED},
        {"1795421702.0", TIMED_S, HOOK_SIGN_MALFORMED},
        {"1795421702000000", TIMED_S, HOOK_SIGN_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hook_sign sign = make(HOOK_SIGN_HMAC, HOOK_SIGN_HEX, SECRET);
        struct hook_sign_proof proof = bring(TIMED);

        sign.timestamp_header = "X-Time";
        proof.timestamp = cases[i].timestamp;
        proof.now_s = cases[i].now_s;
        expect(&sign, &proof, cases[i].want,
               cases[i].timestamp == NULL ? "none" : cases[i].timestamp);
    }
}

static const struct {
    const char *secrets[2];
    const char *id;
    int64_t at_s;
    const char *body;
    const char *signature;
} vectors[] = {
    {{"whsec_Z3Tfz3r8CJtu21sBCHuhVYJy24XFsfE/Z2+rYdMneig=", NULL},
     "test_90c4f1b27de3a865",
     1795421702,
     "{\"type\":\"test\",\"timestamp\":\"2026-11-23T08:15:02.114Z\",\"data\":{"
     "\"destination\":\"warehouse\"}}",
     "v1,rTO1meWQFwNRw6zBNSKyhLix/0tukjo3EthurnXJEQA="},
    {{"whsec_Z3Tfz3r8CJtu21sBCHuhVYJy24XFsfE/Z2+rYdMneig=",
      "whsec_PHtGEHfNmGWyeaCtIC2CttUgsa2+yczEolkVQ2IfQJA="},
     "al_7f9c2ba4e88f827d",
     1795422002,
     "{\"type\":\"alert.fired\",\"timestamp\":\"2026-11-23T08:15:02.114Z\","
     "\"data\":{\"alert\":\"al_7f9c2ba4e88f827d\",\"rule\":\"lead-spike\","
     "\"value\":14}}",
     "v1,KGuAiRTOFQ8yBb1/KwLYjoVKPoVRm234Xl0y6juEgyg= "
     "v1,s3+T4GLEuyPD5ACVW+e+cKwaCX0n9u221b7tTMd6NgM="},
    {{"whsec_qzgxwnXFWI/YkdH8qiCNfyUbxTL8jg/k/GehxpFj77U=", NULL},
     "al_d3a9e0164b7c58f2",
     1795439999,
     "{\"type\":\"alert.fired\",\"timestamp\":\"2026-11-23T13:19:59.000Z\","
     "\"data\":{\"rule\":\"hot-lead\",\"site\":\"caf\xc3\xa9"
     ".bio\",\"summary\":\"Zo\xc3\xab M\xc3\xbc"
     "ller \xe2\x80\x93 \xe4\xba\x88\xe7\xb4\x84 \xf0\x9f\x94\x94 "
     "\\\"hi\\\"\\n2nd line\"}}",
     "v1,Td2MeiObOgo4l7KK4blHJImsFStwG0atT7GSZCzFK70="},
};
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static struct hook_sign_proof bring_vector(size_t index, char timestamp[24])
{
    (void)snprintf(timestamp, 24, "%lld", (long long)vectors[index].at_s);
    return (struct hook_sign_proof){.value = vectors[index].signature,
                                    .timestamp = timestamp,
                                    .id = vectors[index].id,
                                    .body = vectors[index].body,
                                    .len = strlen(vectors[index].body),
                                    .now_s = vectors[index].at_s};
}

static void standard_webhooks_are_taken_under_each_live_secret(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        for (size_t j = 0; j < 2 && vectors[i].secrets[j] != NULL; j++) {
            struct hook_sign sign =
                make(HOOK_SIGN_STANDARD, HOOK_SIGN_AUTO, vectors[i].secrets[j]);
            char timestamp[24];
            struct hook_sign_proof proof = bring_vector(i, timestamp);

            expect(&sign, &proof, HOOK_SIGN_RIGHT, vectors[i].id);
            proof.now_s += 300; /* vector 1: 08:20:02Z */
            expect(&sign, &proof, HOOK_SIGN_RIGHT, "five minutes after");
            proof.now_s += 1;
            expect(&sign, &proof, HOOK_SIGN_OLD, "a second more");
            proof.now_s -= 602;
            expect(&sign, &proof, HOOK_SIGN_OLD, "too far ahead");
            proof.now_s = vectors[i].at_s;
            proof.len -= 1;
            expect(&sign, &proof, HOOK_SIGN_WRONG, "a byte less");
        }
    }
}

static void standard_webhooks_need_their_three_headers(void **state)
{
    struct hook_sign sign =
        make(HOOK_SIGN_STANDARD, HOOK_SIGN_AUTO, vectors[0].secrets[0]);
    char timestamp[24];
    struct hook_sign_proof proof = bring_vector(0, timestamp);

    (void)state;
    proof.id = NULL;
    expect(&sign, &proof, HOOK_SIGN_MISSING, "no id");
    proof.id = "";
    expect(&sign, &proof, HOOK_SIGN_MALFORMED, "an empty id");
    proof.id = "test.90c4f1b27de3a865";
    expect(&sign, &proof, HOOK_SIGN_MALFORMED, "a dot in the id");
    proof.id = "test_90c4f1b27de3a866";
    expect(&sign, &proof, HOOK_SIGN_WRONG, "another id");
    proof.id = vectors[0].id;
    proof.timestamp = NULL;
    expect(&sign, &proof, HOOK_SIGN_MISSING, "no timestamp");
    proof.timestamp = "1795421702x";
    expect(&sign, &proof, HOOK_SIGN_MALFORMED, "a timestamp that is none");
    proof.timestamp = "1795421703";
    expect(&sign, &proof, HOOK_SIGN_WRONG, "another timestamp");
    proof.timestamp = timestamp;
    proof.value = NULL;
    expect(&sign, &proof, HOOK_SIGN_MISSING, "no signature");
}

static void one_good_value_of_a_signature_is_enough(void **state)
{
    static const struct {
        const char *value;
        enum hook_sign_verdict want;
    } cases[] = {
        {"v1,rTO1meWQFwNRw6zBNSKyhLix/0tukjo3EthurnXJEQA=", HOOK_SIGN_RIGHT},
        {"v1,rTO1meWQFwNRw6zBNSKyhLix/0tukjo3EthurnXJEQA", HOOK_SIGN_RIGHT},
        {"v1a,abc  v1,KGuAiRTOFQ8yBb1/KwLYjoVKPoVRm234Xl0y6juEgyg= "
         "v1,rTO1meWQFwNRw6zBNSKyhLix/0tukjo3EthurnXJEQA= v2,x",
         HOOK_SIGN_RIGHT},
        {"v2,rTO1meWQFwNRw6zBNSKyhLix/0tukjo3EthurnXJEQA=", HOOK_SIGN_WRONG},
        {"rTO1meWQFwNRw6zBNSKyhLix/0tukjo3EthurnXJEQA=", HOOK_SIGN_WRONG},
        {"v1,", HOOK_SIGN_WRONG},
        {"v1", HOOK_SIGN_WRONG},
        {"v1,=", HOOK_SIGN_WRONG},
        {" ", HOOK_SIGN_WRONG},
        {"", HOOK_SIGN_WRONG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hook_sign sign =
            make(HOOK_SIGN_STANDARD, HOOK_SIGN_AUTO, vectors[0].secrets[0]);
        char timestamp[24];
        struct hook_sign_proof proof = bring_vector(0, timestamp);

        proof.value = cases[i].value;
        expect(&sign, &proof, cases[i].want, cases[i].value);
    }
}

static void a_header_holds_the_secret_or_a_bearer(void **state)
{
    static const struct {
        const char *header;
        const char *value;
        enum hook_sign_verdict want;
    } cases[] = {
        {"Authorization", "Bearer " SECRET, HOOK_SIGN_RIGHT},
        {"authorization", "Bearer " SECRET, HOOK_SIGN_RIGHT},
        {"Authorization", SECRET, HOOK_SIGN_RIGHT},
        {"Authorization", "Bearer  " SECRET, HOOK_SIGN_WRONG},
        {"Authorization", "bearer" SECRET, HOOK_SIGN_WRONG},
        {"X-Key", SECRET, HOOK_SIGN_RIGHT},
        {"X-Key", "Bearer " SECRET, HOOK_SIGN_WRONG},
        {"X-Key", SECRET "x", HOOK_SIGN_WRONG},
        {"X-Key", "linkmi-secret-for-test", HOOK_SIGN_WRONG},
        {"X-Key", "", HOOK_SIGN_WRONG},
        {"X-Key", NULL, HOOK_SIGN_MISSING},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hook_sign sign = make(HOOK_SIGN_HEADER, HOOK_SIGN_AUTO, SECRET);
        struct hook_sign_proof proof = bring(cases[i].value);

        sign.header = cases[i].header;
        expect(&sign, &proof, cases[i].want,
               cases[i].value == NULL ? "none" : cases[i].value);
    }
}

static void a_path_holds_the_secret(void **state)
{
    static const struct {
        const char *given;
        enum hook_sign_verdict want;
    } cases[] = {{"Zq3vN8tK2xW7bR5mD9cF4hJ6", HOOK_SIGN_RIGHT},
                 {"Zq3vN8tK2xW7bR5mD9cF4hJ7", HOOK_SIGN_WRONG},
                 {"Zq3vN8tK2xW7bR5mD9cF4hJ", HOOK_SIGN_WRONG},
                 {NULL, HOOK_SIGN_MISSING}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hook_sign sign = make(HOOK_SIGN_URL_SECRET, HOOK_SIGN_AUTO,
                                     "Zq3vN8tK2xW7bR5mD9cF4hJ6");
        struct hook_sign_proof proof = bring(NULL);

        proof.url_secret = cases[i].given;
        expect(&sign, &proof, cases[i].want,
               cases[i].given == NULL ? "none" : cases[i].given);
    }
}

static void a_secret_in_the_path_is_no_way_into_another_scheme(void **state)
{
    struct hook_sign sign = make(HOOK_SIGN_HMAC, HOOK_SIGN_AUTO, SECRET);
    struct hook_sign_proof proof = bring(HEX);

    (void)state;
    proof.url_secret = SECRET;
    expect(&sign, &proof, HOOK_SIGN_MALFORMED, "a signature and a secret");
}

static void unsigned_is_for_this_machine_alone(void **state)
{
    struct hook_sign sign = make(HOOK_SIGN_NONE, HOOK_SIGN_AUTO, NULL);
    struct hook_sign_proof proof = bring(NULL);

    (void)state;
    expect(&sign, &proof, HOOK_SIGN_FAR, "from elsewhere");
    proof.is_near = true;
    expect(&sign, &proof, HOOK_SIGN_RIGHT, "from here");
}

static void two_secrets_are_live_and_no_third(void **state)
{
    struct hook_sign sign = make(HOOK_SIGN_HMAC, HOOK_SIGN_AUTO, "new");
    struct hook_sign_proof proof = bring(HEX);

    (void)state;
    expect(&sign, &proof, HOOK_SIGN_WRONG, "the new one alone");
    assert_true(hook_sign_add_secret(&sign, SECRET));
    expect(&sign, &proof, HOOK_SIGN_RIGHT, "with the old one");
    assert_false(hook_sign_add_secret(&sign, "third"));
    assert_int_equal(sign.secret_count, 2);
}

static void a_source_without_a_secret_takes_nothing(void **state)
{
    static const enum hook_sign_scheme schemes[] = {
        HOOK_SIGN_HMAC, HOOK_SIGN_STANDARD, HOOK_SIGN_HEADER,
        HOOK_SIGN_URL_SECRET};
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    struct lb_secret_hmac hmac;
    SHA256_CTX message;
    struct lb_buf value;

    (void)state;
    /* An HMAC under an empty key is no way in either. */
    lb_secret_hmac_init(&hmac, "", 0);
    lb_secret_hmac_start(&hmac, &message);
    lb_secret_hmac_add(&message, LINKMI, sizeof(LINKMI) - 1);
    lb_secret_hmac_finish(&hmac, &message, digest);
    lb_buf_init(&value, 256);
    lb_secret_add_base64(&value, digest, sizeof(digest));
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        struct hook_sign sign = make(schemes[i], HOOK_SIGN_AUTO, NULL);
        struct hook_sign_proof proof = bring(lb_buf_text(&value));
        enum hook_sign_encoding encoding;

        assert_int_not_equal(hook_sign_verify(&sign, &proof, &encoding),
                             HOOK_SIGN_RIGHT);
        proof.value = "";
        assert_int_not_equal(hook_sign_verify(&sign, &proof, &encoding),
                             HOOK_SIGN_RIGHT);
        proof.url_secret = "";
        assert_int_not_equal(hook_sign_verify(&sign, &proof, &encoding),
                             HOOK_SIGN_RIGHT);
    }
    lb_buf_deinit(&value);
}

static void a_secret_has_its_schemes_form(void **state)
{
    static char long_one[HOOK_SIGN_SECRET_BYTES + 2];
    static const struct {
        enum hook_sign_scheme scheme;
        const char *text;
        bool is_taken;
    } cases[] = {
        {HOOK_SIGN_HMAC, "x", true},
        {HOOK_SIGN_HMAC, "", false},
        {HOOK_SIGN_HMAC, "whsec_abc", true}, /* bytes of the text */
        {HOOK_SIGN_HMAC, long_one, false},
        {HOOK_SIGN_HMAC, long_one + 1, true},
        {HOOK_SIGN_STANDARD,
         "whsec_Z3Tfz3r8CJtu21sBCHuhVYJy24XFsfE/Z2+rYdMneig=", true},
        {HOOK_SIGN_STANDARD,
         "Z3Tfz3r8CJtu21sBCHuhVYJy24XFsfE/Z2+rYdMneig=", true},
        {HOOK_SIGN_STANDARD, "whsec_AAAA", false},
        {HOOK_SIGN_STANDARD, SECRET, false},
        {HOOK_SIGN_URL_SECRET, "Zq3vN8tK2xW7bR5mD9cF4hJ6", true},
        {HOOK_SIGN_URL_SECRET, "Zq3vN8tK2xW7bR5mD9cF4hJ", false},
    };

    (void)state;
    memset(long_one, 'a', sizeof(long_one) - 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hook_sign sign = make(cases[i].scheme, HOOK_SIGN_AUTO, NULL);

        assert_int_equal(hook_sign_add_secret(&sign, cases[i].text),
                         cases[i].is_taken);
        assert_int_equal(sign.secret_count, cases[i].is_taken ? 1 : 0);
    }
}

static void words_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < HOOK_SIGN_SCHEME_COUNT; i++) {
        enum hook_sign_scheme scheme = HOOK_SIGN_NONE;

        assert_true(hook_sign_scheme_find(
            hook_sign_scheme_name((enum hook_sign_scheme)i), &scheme));
        assert_int_equal(scheme, i);
    }
    for (int i = 0; i < HOOK_SIGN_ENCODING_COUNT; i++) {
        enum hook_sign_encoding encoding = HOOK_SIGN_AUTO;

        assert_true(hook_sign_encoding_find(
            hook_sign_encoding_name((enum hook_sign_encoding)i), &encoding));
        assert_int_equal(encoding, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hmac_is_taken_in_the_form_that_is_configured),
        cmocka_unit_test(auto_tells_which_form_it_was),
        cmocka_unit_test(a_changed_byte_of_the_body_is_noticed),
        cmocka_unit_test(a_signed_timestamp_must_be_near_now),
        cmocka_unit_test(standard_webhooks_are_taken_under_each_live_secret),
        cmocka_unit_test(standard_webhooks_need_their_three_headers),
        cmocka_unit_test(one_good_value_of_a_signature_is_enough),
        cmocka_unit_test(a_header_holds_the_secret_or_a_bearer),
        cmocka_unit_test(a_path_holds_the_secret),
        cmocka_unit_test(a_secret_in_the_path_is_no_way_into_another_scheme),
        cmocka_unit_test(unsigned_is_for_this_machine_alone),
        cmocka_unit_test(two_secrets_are_live_and_no_third),
        cmocka_unit_test(a_source_without_a_secret_takes_nothing),
        cmocka_unit_test(a_secret_has_its_schemes_form),
        cmocka_unit_test(words_go_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
