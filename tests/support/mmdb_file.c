/* mmdb_file.c - a small country database for tests. */
#include "tests/support/mmdb_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "geo/mmdb_writer.h"

void mmdb_file_write(const char *path, const char *country)
{
    const struct mmdb_writer_about about = {"test-Country", "a test", "none",
                                            "none", INT64_C(1750000000000)};
    struct mmdb_writer *writer = mmdb_writer_new();
    struct lb_ip_range range;
    struct lb_buf bytes;
    char aside[4200];
    FILE *file;

    lb_buf_init(&bytes, 65536);
    (void)snprintf(aside, sizeof(aside), "%s.new", path);
    assert_non_null(writer);
    assert_true(lb_ip_parse_range("::/0", &range));
    assert_int_equal(mmdb_writer_add(writer, &range, country), LB_OK);
    assert_int_equal(mmdb_writer_finish(writer, &about, &bytes), LB_OK);
    file = fopen(aside, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(lb_buf_text(&bytes), 1, bytes.len, file),
                     bytes.len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(aside, path), 0);
    lb_buf_deinit(&bytes);
    mmdb_writer_free(writer);
}
