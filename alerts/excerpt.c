/* excerpt.c - the beginning of an answer that can be shown. */
#include "alerts/excerpt.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define TOKEN_LEAST 20
#define SECRET_LEAST 4
#define SHOWN_BYTES 512

struct sheet {
    char *out;
    size_t len;
};

static void put(struct sheet *sheet, const char *bytes, size_t len)
{
    if (sheet->len + len <= SHOWN_BYTES) {
        memcpy(sheet->out + sheet->len, bytes, len);
        sheet->len += len;
    }
    sheet->out[sheet->len] = '\0';
}

static bool is_of_word(char c)
{
    return c != '\0' &&
           ((unsigned char)c >= 0x80 || isalnum((unsigned char)c) != 0 ||
            strchr("-_+=%@.", c) != NULL);
}

/* Whether a word must not be shown. */
static bool is_hidden(const char *word, size_t len)
{
    bool has_digit = false;

    for (size_t i = 0; i < len; i++) {
        if (word[i] == '@') {
            return true;
        }
        has_digit = has_digit || isdigit((unsigned char)word[i]) != 0;
    }
    return len >= TOKEN_LEAST && has_digit;
}

static void put_word(struct sheet *sheet, const char *word, size_t len)
{
    if (is_hidden(word, len)) {
        put(sheet, "***", 3);
    } else if (!lb_text_is_utf8(word, len)) {
        put(sheet, "?", 1);
    } else {
        put(sheet, word, len);
    }
}

static size_t
secret_at(const char *at, const char *const *secrets, size_t secret_count)
{
    for (size_t i = 0; i < secret_count; i++) {
        size_t len = strlen(secrets[i]);

        if (len >= SECRET_LEAST && strncmp(at, secrets[i], len) == 0) {
            return len;
        }
    }
    return 0;
}

static size_t
word_at(const char *at, const char *const *secrets, size_t secret_count)
{
    size_t len = 0;

    while (is_of_word(at[len]) &&
           (len == 0 || secret_at(at + len, secrets, secret_count) == 0)) {
        len++;
    }
    return len;
}

void excerpt_make(const char *answer,
                  const char *const *secrets,
                  size_t secret_count,
                  char out[EXCERPT_BYTES])
{
    struct sheet sheet = {out, 0};

    out[0] = '\0';
    while (*answer != '\0' && sheet.len < SHOWN_BYTES) {
        size_t len = secret_at(answer, secrets, secret_count);

        if (len > 0) {
            put(&sheet, "***", 3);
            answer += len;
            continue;
        }
        len = word_at(answer, secrets, secret_count);
        if (len > 0) {
            put_word(&sheet, answer, len);
            answer += len;
            continue;
        }
        put(&sheet, (unsigned char)*answer < ' ' ? " " : answer, 1);
        answer++;
    }
}
