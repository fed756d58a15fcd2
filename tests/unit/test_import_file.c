/* test_import_file.c - records of files: packed, cut, growing, rotated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/inflate.h"
#include "ingest/import_file.h"
#include "tests/support/temp_dir.h"

struct place {
    char dir[TEMP_DIR_BYTES];
    char path[TEMP_DIR_BYTES + 16];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    temp_dir_make(place->dir);
    (void)snprintf(place->path, sizeof(place->path), "%s/log", place->dir);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    temp_dir_remove(((struct place *)*state)->dir);
    free(*state);
    return 0;
}

static void
write_file(const char *path, const char *mode, const char *bytes, size_t len)
{
    FILE *file = fopen(path, mode);

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void write_text(const char *path, const char *mode, const char *text)
{
    write_file(path, mode, text, strlen(text));
}

static struct import_file *open_file(const char *path)
{
    struct import_file *file = NULL;
    struct lb_error err;

    assert_int_equal(import_file_open(path, &file, &err), LB_OK);
    return file;
}

/* The next records as "LINE:TEXT|", to the end for now. */
static void read_all(struct import_file *file,
                     enum import_format format,
                     bool is_growing,
                     struct lb_buf *out)
{
    struct import_file_record record;
    bool has_record = true;
    struct lb_error err;

    while (has_record) {
        assert_int_equal(import_file_next(file, format, is_growing, &record,
                                          &has_record, &err),
                         LB_OK);
        if (has_record && record.fault != NULL) {
            lb_buf_printf(out, "%lu:(%s)|", record.line, record.fault);
        } else if (has_record) {
            lb_buf_printf(out, "%lu:", record.line);
            lb_buf_add(out, record.text, record.len);
            lb_buf_add_char(out, '|');
        }
    }
}

static void assert_reads(struct import_file *file,
                         enum import_format format,
                         bool is_growing,
                         const char *wanted)
{
    struct lb_buf got;

    lb_buf_init(&got, (size_t)1 << 24);
    read_all(file, format, is_growing, &got);
    assert_string_equal(lb_buf_text(&got), wanted);
    lb_buf_deinit(&got);
}

static void records_come_with_their_lines(void **state)
{
    static const struct {
        enum import_format format;
        const char *text;
        const char *wanted;
    } cases[] = {
        {IMPORT_NDJSON, "a\n\nb\r\nc", "1:a|2:|3:b|4:c|"},
        {IMPORT_NDJSON, "a\n", "1:a|"},
        {IMPORT_NDJSON, "", ""},
        {IMPORT_NDJSON, "\n", "1:|"},
        {IMPORT_CSV, "h\n\"x\ny\",1\nz\n", "1:h|2:\"x\ny\",1|4:z|"},
        /* A quote that is never closed spoils its own line only. */
        {IMPORT_CSV, "h\n\"x\ny\nz\n",
         "1:h|2:(a quote is not closed)|3:y|4:z|"},
    };
    struct place *place = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct import_file *file;

        write_text(place->path, "w", cases[i].text);
        file = open_file(place->path);
        assert_reads(file, cases[i].format, false, cases[i].wanted);
        import_file_close(file);
    }
}

static struct lb_buf
pack(enum lb_inflate_kind kind, const char *bytes, size_t len)
{
    struct lb_inflate_packer *packer = lb_inflate_packer_new(kind);
    struct lb_buf out;

    lb_buf_init(&out, (size_t)1 << 24);
    assert_int_equal(lb_inflate_packer_add(packer, bytes, len, true, &out),
                     LB_OK);
    lb_inflate_packer_free(packer);
    return out;
}

static void packed_files_are_unpacked_and_cut_ones_told(void **state)
{
    static const enum lb_inflate_kind kinds[] = {LB_INFLATE_GZIP,
                                                 LB_INFLATE_ZSTD};
    struct place *place = *state;
    struct lb_buf text;

    lb_buf_init(&text, (size_t)1 << 24);
    for (int i = 0; i < 40000; i++) {
        lb_buf_printf(&text, "line %d %d\n", i, i * 7919);
    }
    for (size_t i = 0; i < 2; i++) {
        struct lb_buf packed = pack(kinds[i], text.data, text.len);
        struct import_file *file;
        struct import_file_record record;
        struct lb_error err = {LB_OK, ""};
        bool has_record = true;
        size_t count = 0;
        enum lb_err rc = LB_OK;

        /* Twice, as gzip and zstd files may be joined. */
        write_file(place->path, "w", packed.data, packed.len);
        write_file(place->path, "a", packed.data, packed.len);
        file = open_file(place->path);
        while (rc == LB_OK && has_record) {
            rc = import_file_next(file, IMPORT_NDJSON, false, &record,
                                  &has_record, &err);
            count += rc == LB_OK && has_record ? 1 : 0;
        }
        assert_int_equal(rc, LB_OK);
        assert_int_equal(count, 80000);
        assert_true(import_file_is_packed(file));
        assert_true(import_file_share(file) == 1.0);
        import_file_close(file);
        write_file(place->path, "w", packed.data, packed.len / 2);
        file = open_file(place->path);
        for (has_record = true; rc == LB_OK && has_record;) {
            rc = import_file_next(file, IMPORT_NDJSON, false, &record,
                                  &has_record, &err);
        }
        assert_int_equal(rc, LB_EFORMAT);
        assert_non_null(strstr(err.text, "cut short"));
        import_file_close(file);
        lb_buf_deinit(&packed);
    }
    lb_buf_deinit(&text);
}

static void a_line_that_is_too_long_is_left_out(void **state)
{
    struct place *place = *state;
    size_t len = 3 * IMPORT_FILE_RECORD_BYTES;
    char *text = malloc(len);
    struct import_file *file;

    memset(text, 'x', len);
    write_text(place->path, "w", "a\n");
    write_file(place->path, "a", text, len);
    write_text(place->path, "a", "\nb\n");
    free(text);
    file = open_file(place->path);
    assert_reads(file, IMPORT_NDJSON, false,
                 "1:a|2:(the line is too long)|3:b|");
    import_file_close(file);
}

static void a_file_that_grows_gives_whole_lines(void **state)
{
    struct place *place = *state;
    struct import_file *file;

    write_text(place->path, "w", "a\nb");
    file = open_file(place->path);
    assert_reads(file, IMPORT_NDJSON, true, "1:a|");
    assert_int_equal(import_file_look(file), IMPORT_FILE_SAME);
    write_text(place->path, "a", "c\nd");
    assert_int_equal(import_file_look(file), IMPORT_FILE_GROWN);
    assert_reads(file, IMPORT_NDJSON, true, "2:bc|");
    assert_reads(file, IMPORT_NDJSON, false, "3:d|");
    import_file_close(file);
}

static void a_file_that_is_replaced_or_cut_begins_anew(void **state)
{
    struct place *place = *state;
    char old[sizeof(place->path) + 2];
    struct import_file *file;
    struct lb_error err;

    (void)snprintf(old, sizeof(old), "%s.1", place->path);
    write_text(place->path, "w", "a\n");
    file = open_file(place->path);
    assert_reads(file, IMPORT_NDJSON, true, "1:a|");
    assert_int_equal(rename(place->path, old), 0);
    assert_int_equal(import_file_look(file), IMPORT_FILE_SAME);
    write_text(old, "a", "b\nlast");
    assert_int_equal(import_file_look(file), IMPORT_FILE_GROWN);
    assert_reads(file, IMPORT_NDJSON, true, "2:b|");
    write_text(place->path, "w", "c\n");
    assert_int_equal(import_file_look(file), IMPORT_FILE_REPLACED);
    assert_reads(file, IMPORT_NDJSON, false, "3:last|");
    assert_int_equal(import_file_restart(file, &err), LB_OK);
    assert_reads(file, IMPORT_NDJSON, true, "1:c|");
    write_text(place->path, "w", "");
    assert_int_equal(import_file_look(file), IMPORT_FILE_CUT);
    assert_int_equal(import_file_restart(file, &err), LB_OK);
    write_text(place->path, "a", "d\n");
    assert_reads(file, IMPORT_NDJSON, true, "1:d|");
    import_file_close(file);
}

static void a_look_ahead_and_a_second_reading_lose_nothing(void **state)
{
    struct place *place = *state;
    const char *bytes = NULL;
    size_t len = 0;
    struct import_file *file;
    struct lb_error err;

    write_text(place->path, "w", "a\nb\n");
    file = open_file(place->path);
    assert_int_equal(import_file_peek(file, 3, &bytes, &len, &err), LB_OK);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "a\nb", 3);
    assert_int_equal(import_file_peek(file, 100, &bytes, &len, &err), LB_OK);
    assert_int_equal(len, 4);
    assert_reads(file, IMPORT_NDJSON, false, "1:a|2:b|");
    assert_int_equal(import_file_rewind(file, &err), LB_OK);
    assert_reads(file, IMPORT_NDJSON, false, "1:a|2:b|");
    import_file_close(file);
}

static void a_file_that_is_not_there_is_told(void **state)
{
    struct place *place = *state;
    struct import_file *file = NULL;
    struct lb_error err;

    assert_int_equal(import_file_open(place->path, &file, &err), LB_ENOENT);
    assert_null(file);
    assert_non_null(strstr(err.text, "no such file"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_with_their_lines),
        TEST(packed_files_are_unpacked_and_cut_ones_told),
        TEST(a_line_that_is_too_long_is_left_out),
        TEST(a_file_that_grows_gives_whole_lines),
        TEST(a_file_that_is_replaced_or_cut_begins_anew),
        TEST(a_look_ahead_and_a_second_reading_lose_nothing),
        TEST(a_file_that_is_not_there_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
