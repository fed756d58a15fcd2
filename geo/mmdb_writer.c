/* mmdb_writer.c - a search tree of addresses and its bytes. */
#include "geo/mmdb_writer.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH 128
#define COUNTRIES (26 * 26)
#define SEPARATOR_BYTES 16 /* between tree and data */
#define MARKER "\xab\xcd\xefMaxMind.com"
#define NODES_MAX UINT32_C(0x40000000)

/* A record holds nothing, a country, or the number of a node. */
#define EMPTY 0u
#define IS_COUNTRY 0x80000000u

/* Types of the data section's control bytes. */
enum mmdb_type {
    MMDB_STRING = 2,
    MMDB_UINT16 = 5,
    MMDB_UINT32 = 6,
    MMDB_MAP = 7,
    MMDB_UINT64 = 9,
    MMDB_ARRAY = 11
};

struct node {
    uint32_t records[2];
};

struct mmdb_writer {
    struct node *nodes; /* owned; the first is the root */
    uint32_t count;
    uint32_t cap;
    uint32_t *numbers; /* owned; a node's number in the file, from the root */
    uint32_t number_count;
    uint32_t offsets[COUNTRIES]; /* of a country's record in the data section,
                                    plus 1; 0: not used */
};

static uint32_t add_node(struct mmdb_writer *writer, uint32_t filling)
{
    if (writer->count == writer->cap) {
        uint32_t cap = writer->cap == 0 ? 65536 : writer->cap * 2;
        struct node *grown =
            cap > NODES_MAX
                ? NULL
                : realloc(writer->nodes, (size_t)cap * sizeof(*grown));

        if (grown == NULL) {
            return 0;
        }
        writer->nodes = grown;
        writer->cap = cap;
    }
    writer->nodes[writer->count] = (struct node){{filling, filling}};
    return writer->count++;
}

struct mmdb_writer *mmdb_writer_new(void)
{
    struct mmdb_writer *writer = calloc(1, sizeof(*writer));

    if (writer != NULL) {
        (void)add_node(writer, EMPTY); /* number 0 also if it fails */
        if (writer->count == 0) {
            mmdb_writer_free(writer);
            writer = NULL;
        }
    }
    return writer;
}

void mmdb_writer_free(struct mmdb_writer *writer)
{
    if (writer != NULL) {
        free(writer->nodes);
        free(writer->numbers);
        free(writer);
    }
}

/* --- the tree ------------------------------------------------------------- */

static unsigned bit_of(const uint8_t bytes[16], unsigned at)
{
    return bytes[at / 8] >> (7 - at % 8) & 1;
}

static bool is_node(uint32_t record)
{
    return record != EMPTY && (record & IS_COUNTRY) == 0;
}

/* The node at a side of node, made where there is none; 0: out of memory. */
static uint32_t
node_below(struct mmdb_writer *writer, uint32_t node, unsigned side)
{
    uint32_t next = writer->nodes[node].records[side];

    if (!is_node(next)) {
        next = add_node(writer, next);
        if (next != 0) {
            writer->nodes[node].records[side] = next;
        }
    }
    return next;
}

/* Puts record at the first bits of bytes (1 to DEPTH). */
static enum lb_err put(struct mmdb_writer *writer,
                       const uint8_t bytes[16],
                       unsigned bits,
                       uint32_t record)
{
    uint32_t node = 0;

    for (unsigned at = 0; at + 1 < bits; at++) {
        node = node_below(writer, node, bit_of(bytes, at));
        if (node == 0) {
            return LB_ENOMEM;
        }
    }
    writer->nodes[node].records[bit_of(bytes, bits - 1)] = record;
    return LB_OK;
}

static void widen(const struct lb_ip *ip, uint8_t out[16])
{
    memset(out, 0, 16);
    memcpy(out + 16 - ip->len, ip->bytes, ip->len);
}

/* The fewest bits at which a network that begins at first ends by last. */
static unsigned fit(const uint8_t first[16], const uint8_t last[16])
{
    unsigned bits = DEPTH;

    while (bits > 1) {
        unsigned at = bits - 1; /* the bit that would be let go */
        uint8_t end[16];

        if (bit_of(first, at) != 0) {
            break;
        }
        memcpy(end, first, 16);
        for (unsigned i = at; i < DEPTH; i++) {
            end[i / 8] |= (uint8_t)(0x80 >> i % 8);
        }
        if (memcmp(end, last, 16) > 0) {
            break;
        }
        bits = at;
    }
    return bits;
}

/* Adds one at the last of bits; false past the end of all addresses. */
static bool step(uint8_t bytes[16], unsigned bits)
{
    unsigned add = 0x80u >> (bits - 1) % 8;

    for (unsigned i = (bits - 1) / 8 + 1; i > 0 && add > 0; i--) {
        add += bytes[i - 1];
        bytes[i - 1] = (uint8_t)(add & 0xff);
        add >>= 8;
    }
    return add == 0;
}

enum lb_err mmdb_writer_add(struct mmdb_writer *writer,
                            const struct lb_ip_range *range,
                            const char *country)
{
    uint32_t number = (uint32_t)((country[0] - 'A') * 26 + (country[1] - 'A'));
    enum lb_err rc = LB_OK;
    bool is_more = true;
    uint8_t first[16];
    uint8_t last[16];

    if (range->first.len != range->last.len || range->first.len == 0 ||
        lb_ip_compare(&range->first, &range->last) > 0) {
        return LB_EINVAL;
    }
    widen(&range->first, first);
    widen(&range->last, last);
    while (rc == LB_OK && is_more && memcmp(first, last, 16) <= 0) {
        unsigned bits = fit(first, last);

        rc = put(writer, first, bits, number | IS_COUNTRY);
        is_more = step(first, bits);
    }
    return rc;
}

/* --- what is left of the tree --------------------------------------------- */

/* A node whose two records say the same becomes that record.  Depth is DEPTH at
 * most. */
/* NOLINTNEXTLINE(misc-no-recursion): bounded by the bits of an address */
static uint32_t join(struct mmdb_writer *writer, uint32_t node)
{
    uint32_t sides[2];

    for (int i = 0; i < 2; i++) {
        sides[i] = writer->nodes[node].records[i];
        sides[i] = is_node(sides[i]) ? join(writer, sides[i]) : sides[i];
        writer->nodes[node].records[i] = sides[i];
    }
    return sides[0] == sides[1] && !is_node(sides[0]) && node != 0 ? sides[0]
                                                                   : node;
}

/* Numbers the nodes that are reached, the root 0. */
/* NOLINTNEXTLINE(misc-no-recursion): bounded by the bits of an address */
static void number_nodes(struct mmdb_writer *writer, uint32_t node)
{
    writer->numbers[node] = writer->number_count++;
    for (int i = 0; i < 2; i++) {
        uint32_t record = writer->nodes[node].records[i];

        if (is_node(record)) {
            number_nodes(writer, record);
        } else if (record != EMPTY) {
            writer->offsets[record & ~IS_COUNTRY] = 1;
        }
    }
}

/* --- bytes ---------------------------------------------------------------- */

static void add_big_endian(struct lb_buf *out, uint64_t value, unsigned bytes)
{
    while (bytes > 0) {
        bytes--;
        lb_buf_add_char(out, (char)(value >> 8 * bytes & 0xff));
    }
}

/* Sizes over 284 are not needed: the texts here are ours and short. */
static void add_control(struct lb_buf *out, enum mmdb_type type, size_t size)
{
    unsigned kind = (unsigned)type > 7 ? 0 : (unsigned)type;
    unsigned part = size < 29 ? (unsigned)size : 29;

    lb_buf_add_char(out, (char)(kind << 5 | part));
    if (kind == 0) {
        lb_buf_add_char(out, (char)((unsigned)type - 7));
    }
    if (part == 29) {
        lb_buf_add_char(out, (char)(size - 29));
    }
}

static void add_text(struct lb_buf *out, const char *text)
{
    size_t len = strlen(text);

    len = len > 284 ? 284 : len;
    add_control(out, MMDB_STRING, len);
    lb_buf_add(out, text, len);
}

static void add_number(struct lb_buf *out, enum mmdb_type type, uint64_t value)
{
    unsigned bytes = 0;

    while (bytes < 8 && value >> 8 * bytes != 0) {
        bytes++;
    }
    add_control(out, type, bytes);
    add_big_endian(out, value, bytes);
}

static void add_data(struct mmdb_writer *writer, struct lb_buf *out)
{
    for (uint32_t i = 0; i < COUNTRIES; i++) {
        char code[3] = {(char)('A' + i / 26), (char)('A' + i % 26), '\0'};

        if (writer->offsets[i] != 0) {
            writer->offsets[i] = (uint32_t)out->len + 1;
            add_control(out, MMDB_MAP, 1);
            add_text(out, "country");
            add_control(out, MMDB_MAP, 1);
            add_text(out, "iso_code");
            add_text(out, code);
        }
    }
}

static uint64_t value_of(const struct mmdb_writer *writer, uint32_t record)
{
    if (record == EMPTY) {
        return writer->number_count;
    }
    return is_node(record) ? writer->numbers[record]
                           : (uint64_t)writer->number_count + SEPARATOR_BYTES +
                                 writer->offsets[record & ~IS_COUNTRY] - 1;
}

/* Nodes in the order of their numbers, which is that of a walk. */
/* NOLINTNEXTLINE(misc-no-recursion): bounded by the bits of an address */
static void add_tree(const struct mmdb_writer *writer,
                     uint32_t node,
                     unsigned record_bytes,
                     struct lb_buf *out)
{
    const uint32_t *records = writer->nodes[node].records;

    for (int i = 0; i < 2; i++) {
        add_big_endian(out, value_of(writer, records[i]), record_bytes);
    }
    for (int i = 0; i < 2; i++) {
        if (is_node(records[i])) {
            add_tree(writer, records[i], record_bytes, out);
        }
    }
}

static void add_metadata(const struct mmdb_writer *writer,
                         const struct mmdb_writer_about *about,
                         unsigned record_bytes,
                         struct lb_buf *out)
{
    lb_buf_add(out, MARKER, sizeof(MARKER) - 1);
    add_control(out, MMDB_MAP, 11);
    add_text(out, "binary_format_major_version");
    add_number(out, MMDB_UINT16, 2);
    add_text(out, "binary_format_minor_version");
    add_number(out, MMDB_UINT16, 0);
    add_text(out, "build_epoch");
    add_number(out, MMDB_UINT64, (uint64_t)about->built_at_ms / 1000);
    add_text(out, "database_type");
    add_text(out, about->type);
    add_text(out, "description");
    add_control(out, MMDB_MAP, 1);
    add_text(out, "en");
    add_text(out, about->description);
    add_text(out, "ip_version");
    add_number(out, MMDB_UINT16, 6);
    add_text(out, "languages");
    add_control(out, MMDB_ARRAY, 1);
    add_text(out, "en");
    add_text(out, "licence");
    add_text(out, about->licence);
    add_text(out, "node_count");
    add_number(out, MMDB_UINT32, writer->number_count);
    add_text(out, "record_size");
    add_number(out, MMDB_UINT16, (uint64_t)record_bytes * 8);
    add_text(out, "source");
    add_text(out, about->source);
}

enum lb_err mmdb_writer_finish(struct mmdb_writer *writer,
                               const struct mmdb_writer_about *about,
                               struct lb_buf *out)
{
    unsigned record_bytes;
    struct lb_buf data;
    enum lb_err rc = LB_OK;

    (void)join(writer, 0);
    free(writer->numbers);
    writer->number_count = 0;
    memset(writer->offsets, 0, sizeof(writer->offsets));
    writer->numbers = calloc(writer->count, sizeof(*writer->numbers));
    if (writer->numbers == NULL) {
        return LB_ENOMEM;
    }
    number_nodes(writer, 0);
    lb_buf_init(&data, 65536);
    add_data(writer, &data);
    record_bytes =
        (uint64_t)writer->number_count + SEPARATOR_BYTES + data.len < 1u << 24
            ? 3
            : 4;
    add_tree(writer, 0, record_bytes, out);
    add_big_endian(out, 0, 8);
    add_big_endian(out, 0, 8);
    lb_buf_add(out, lb_buf_text(&data), data.len);
    add_metadata(writer, about, record_bytes, out);
    if (out->is_failed || data.is_failed) {
        rc = LB_ELIMIT;
    }
    lb_buf_deinit(&data);
    return rc;
}
