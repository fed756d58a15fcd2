/* test_secret.c - hashes against published vectors, base64, tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/secret.h"
#include "base/text.h"

static void sha256_gives_the_published_digests(void **state)
{
    static const struct {
        const char *text;
        const char *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb924"
             "27ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223"
                "b00361a396177a9cb410ff61f20015ad"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t digest[LB_SECRET_SHA256_BYTES];
        char text[2 * sizeof(digest) + 1];

        lb_secret_sha256(cases[i].text, strlen(cases[i].text), digest);
        lb_text_to_hex(digest, sizeof(digest), text);

        assert_string_equal(text, cases[i].digest);
    }
}

/* RFC 4231, 4.2 (1), 4.3 (2), 4.4 (3) and 4.7 (6). */
static void hmac_gives_the_digests_of_rfc_4231(void **state)
{
    static const struct {
        int key_byte; /* repeated; -1: the key is "Jefe" */
        size_t key_len;
        const char *text; /* NULL: 50 times 0xdd */
        const char *digest;
    } cases[] = {
        {0x0b, 20, "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b"
         "881dc200c9833da726e9376c2e32cff7"},
        {-1, 4, "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c7"
         "5a003f089d2739839dec58b964ec3843"},
        {0xaa, 20, NULL,
         "773ea91e36800e46854db8ebd09181a7"
         "2959098b3ef8c122d9635514ced565fe"},
        {0xaa, 131, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f"
         "8e0bc6213728c5140546040f0ee37f54"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t digest[LB_SECRET_SHA256_BYTES];
        uint8_t key[131];
        char filler[50];
        char text[2 * sizeof(digest) + 1];
        const char *message = cases[i].text;
        size_t len = message == NULL ? sizeof(filler) : strlen(message);
        struct lb_secret_hmac hmac;

        memset(key, cases[i].key_byte, sizeof(key));
        for (size_t j = 0; j < 4 && cases[i].key_byte < 0; j++) {
            key[j] = (uint8_t) "Jefe"[j];
        }
        memset(filler, 0xdd, sizeof(filler));
        lb_secret_hmac_init(&hmac, key, cases[i].key_len);

        /* Twice from one key, the second time in two parts. */
        for (size_t cut = 0; cut <= 3; cut += 3) {
            const char *bytes = message == NULL ? filler : message;
            SHA256_CTX part;

            lb_secret_hmac_start(&hmac, &part);
            lb_secret_hmac_add(&part, bytes, cut);
            lb_secret_hmac_add(&part, bytes + cut, len - cut);
            lb_secret_hmac_finish(&hmac, &part, digest);
            lb_text_to_hex(digest, sizeof(digest), text);

            assert_string_equal(text, cases[i].digest);
        }
    }
}

static void equal_means_every_byte(void **state)
{
    (void)state;

    assert_true(lb_secret_is_equal("abc", "abc", 3));
    assert_false(lb_secret_is_equal("abc", "abd", 3));
    assert_false(lb_secret_is_equal("abc", "bbc", 3));
    assert_true(lb_secret_is_equal("abc", "abd", 2));
    assert_true(lb_secret_is_equal("", "x", 0));
}

/* RFC 4648, 10. */
static void base64_goes_both_ways(void **state)
{
    static const struct {
        const char *plain;
        const char *coded;
    } cases[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xfe", "+//+"},
    };
    struct lb_buf buf;
    (void)state;
    lb_buf_init(&buf, 100);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[16];
        size_t plain_len = strlen(cases[i].plain);
        size_t coded_len = strlen(cases[i].coded);

        lb_buf_clear(&buf);
        lb_secret_add_base64(&buf, cases[i].plain, plain_len);
        assert_string_equal(lb_buf_text(&buf), cases[i].coded);

        assert_int_equal(
            lb_secret_from_base64(cases[i].coded, coded_len, out, sizeof(out)),
            plain_len);
        assert_memory_equal(out, cases[i].plain, plain_len);
        coded_len = strcspn(cases[i].coded, "=");
        assert_int_equal(
            lb_secret_from_base64(cases[i].coded, coded_len, out, sizeof(out)),
            plain_len);
    }
    lb_buf_deinit(&buf);
}

static void what_is_no_base64_is_refused(void **state)
{
    static const char *const cases[] = {
        "A",     "AAAAA", "Zg=",    "Z===",     "====",     "Zg==Zg==",
        "Zm9v=", "Zm 9v", "Zm9v\n", "Zm-v",     "Zm_v",     "Zh==",
        "Zm9=",  "=",     "Zg===",  "\xc3\xa9", "Zm9vZ===",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[16];
        long len =
            lb_secret_from_base64(cases[i], strlen(cases[i]), out, sizeof(out));

        if (len != -1) {
            print_error("row %zu: %s: %ld\n", i, cases[i], len);
        }
        assert_int_equal(len, -1);
    }
}

static void base64_never_passes_its_room(void **state)
{
    uint8_t out[4] = {9, 9, 9, 9};
    (void)state;

    assert_int_equal(lb_secret_from_base64("Zm9vYg==", 8, out, 3), -1);
    assert_int_equal(out[3], 9);
    assert_int_equal(lb_secret_from_base64("Zm9v", 4, out, 3), 3);
}

static void new_tokens_have_the_form_of_tokens(void **state)
{
    char last[LB_SECRET_TOKEN_BYTES] = "";
    (void)state;

    for (int i = 0; i < 1000; i++) {
        char token[LB_SECRET_TOKEN_BYTES];

        assert_true(lb_secret_new_token(token));

        assert_int_equal(strlen(token), 3 + 43 + 6);
        assert_memory_equal(token, "lb_", 3);
        assert_true(lb_text_is_made_of(token + 3, "0-9A-Za-z", 49));
        assert_true(lb_secret_is_token(token));
        assert_string_not_equal(token, last);
        memcpy(last, token, sizeof(last));
    }
}

static void a_slip_in_a_token_is_noticed(void **state)
{
    char token[LB_SECRET_TOKEN_BYTES];
    (void)state;
    assert_true(lb_secret_new_token(token));

    for (size_t i = 0; i + 1 < sizeof(token); i++) {
        char kept = token[i];

        token[i] = kept == 'x' ? 'y' : 'x';
        assert_false(lb_secret_is_token(token));
        token[i] = '-';
        assert_false(lb_secret_is_token(token));
        token[i] = kept;
    }
    assert_true(lb_secret_is_token(token));
}

static void what_is_no_token_is_none(void **state)
{
    char token[LB_SECRET_TOKEN_BYTES + 1];
    (void)state;
    assert_true(lb_secret_new_token(token));

    assert_false(lb_secret_is_token(""));
    assert_false(lb_secret_is_token("lb_"));
    assert_false(lb_secret_is_token("Bearer"));
    assert_false(lb_secret_is_token(token + 1));
    token[LB_SECRET_TOKEN_BYTES - 1] = 'x';
    token[LB_SECRET_TOKEN_BYTES] = '\0';
    assert_false(lb_secret_is_token(token));
    token[LB_SECRET_TOKEN_BYTES - 2] = '\0';
    assert_false(lb_secret_is_token(token));
}

static void ids_are_a_prefix_and_sixteen_hex_digits(void **state)
{
    char one[20];
    char two[20];
    (void)state;

    assert_true(lb_secret_id("tk_", one, sizeof(one)));
    assert_true(lb_secret_id("tk_", two, sizeof(two)));

    assert_int_equal(strlen(one), 19);
    assert_memory_equal(one, "tk_", 3);
    assert_true(lb_text_is_made_of(one + 3, "0-9a-f", 16));
    assert_string_not_equal(one, two);
}

static void a_webhook_key_has_24_to_64_bytes(void **state)
{
    static const struct {
        const char *text;
        size_t bytes;
    } cases[] = {
        {"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", 24},
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", 24},
        {"whsec_"
         "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyM"
         "zQ1Njc4OTo7PD0+Pw==",
         64},
        {"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=", 0},
        {"whsec_"
         "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyM"
         "zQ1Njc4OTo7PD0+P0A=",
         0},
        {"whsec_", 0},
        {"", 0},
        {"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY_", 0},
        {"whsec AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", 0},
    };
    uint8_t key[LB_SECRET_WEBHOOK_BYTES];
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t bytes = lb_secret_from_webhook(cases[i].text, key);

        assert_int_equal(bytes, cases[i].bytes);
        for (size_t j = 0; j < bytes; j++) {
            assert_int_equal(key[j], j);
        }
    }
}

static void random_bytes_differ(void **state)
{
    uint8_t one[32] = {0};
    uint8_t two[32] = {0};
    (void)state;

    assert_true(lb_secret_random(one, sizeof(one)));
    assert_true(lb_secret_random(two, sizeof(two)));

    assert_memory_not_equal(one, two, sizeof(one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(hmac_gives_the_digests_of_rfc_4231),
        cmocka_unit_test(equal_means_every_byte),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(what_is_no_base64_is_refused),
        cmocka_unit_test(base64_never_passes_its_room),
        cmocka_unit_test(new_tokens_have_the_form_of_tokens),
        cmocka_unit_test(a_slip_in_a_token_is_noticed),
        cmocka_unit_test(what_is_no_token_is_none),
        cmocka_unit_test(ids_are_a_prefix_and_sixteen_hex_digits),
        cmocka_unit_test(a_webhook_key_has_24_to_64_bytes),
        cmocka_unit_test(random_bytes_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
