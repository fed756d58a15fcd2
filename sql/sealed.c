/* sealed.c - events of the segments in log order.
 *
 * Of a segment the rows of the wished sites and times are chosen, the blocks
 * that they lie in are unpacked, and the rows are put in the order of their log
 * numbers. */
#include "sql/sealed.h"

#include <stdlib.h>
#include <string.h>

#include "sql/log_store.h"

#define CODED_COUNT (SEGMENT_ID - SEGMENT_FIRST_CODED)
#define PLACE_PARTS 3
#define DEVICE_PARTS 5
#define RADIX_BITS 11
#define RADIX (1u << RADIX_BITS)

/* One row on its way into the order of log numbers. */
struct place {
    uint32_t offset; /* of its log number from the segment's */
    uint32_t row;
};

struct sealed {
    struct db *db;
    struct dict_cache *cache; /* borrowed */
    struct segment_wish wish;
    uint32_t wanted;            /* bits of columns */
    struct segment_info *infos; /* owned */
    size_t info_count;
    size_t next_info;
    struct segment_packer *packer; /* owned */
    struct segment *segment;       /* owned; NULL: none is open */
    /* Of the open segment, by row; owned, for SEGMENT_ROWS rows. */
    int64_t *numbers[SEGMENT_FIRST_CODED];
    uint16_t *codes[CODED_COUNT];
    const char **ids;
    struct place *places; /* owned; the chosen rows */
    struct place *sorted; /* owned; while they are put in order */
    size_t place_count;
    size_t next_place;
    size_t next_change;
    bool is_needed[SEGMENT_BLOCKS];
    const struct segment_column *columns[CODED_COUNT];
    /* Texts of dictionary numbers by code; parts of places and devices. */
    const char **words[ENTRY_DICT_COUNT];
    struct entry entry;
};

static enum lb_err no_memory(struct lb_error *err)
{
    return lb_err_set(err, LB_ENOMEM, "out of memory");
}

static bool make_rows(struct sealed *sealed)
{
    bool is_whole;

    sealed->packer = segment_pack_new();
    sealed->places = malloc(SEGMENT_ROWS * sizeof(*sealed->places));
    sealed->sorted = malloc(SEGMENT_ROWS * sizeof(*sealed->sorted));
    sealed->ids = malloc(SEGMENT_ROWS * sizeof(*sealed->ids));
    is_whole = sealed->packer != NULL && sealed->places != NULL &&
               sealed->sorted != NULL && sealed->ids != NULL;
    for (int i = 0; i < SEGMENT_FIRST_CODED; i++) {
        sealed->numbers[i] = malloc(SEGMENT_ROWS * sizeof(int64_t));
        is_whole = is_whole && sealed->numbers[i] != NULL;
    }
    for (int i = 0; i < CODED_COUNT; i++) {
        sealed->codes[i] = malloc(SEGMENT_ROWS * sizeof(uint16_t));
        is_whole = is_whole && sealed->codes[i] != NULL;
    }
    return is_whole;
}

enum lb_err sealed_open(struct db *db,
                        struct dict_cache *cache,
                        const struct segment_wish *wish,
                        uint32_t columns,
                        struct sealed **sealed_out,
                        struct lb_error *err)
{
    struct sealed *sealed = calloc(1, sizeof(*sealed));
    enum lb_err rc;

    *sealed_out = NULL;
    if (sealed == NULL) {
        return no_memory(err);
    }
    sealed->db = db;
    sealed->cache = cache;
    sealed->wish = *wish;
    sealed->wanted =
        columns | 1u << SEGMENT_SEQ | 1u << SEGMENT_TS | 1u << SEGMENT_RECEIVED;
    rc = segment_store_find(db, wish, &sealed->infos, &sealed->info_count, err);
    if (rc == LB_OK && sealed->info_count > 0 && !make_rows(sealed)) {
        rc = no_memory(err);
    }
    if (rc != LB_OK) {
        sealed_close(sealed);
        return rc;
    }
    *sealed_out = sealed;
    return LB_OK;
}

void sealed_close(struct sealed *sealed)
{
    if (sealed == NULL) {
        return;
    }
    segment_store_close(sealed->segment);
    segment_pack_free(sealed->packer);
    free(sealed->infos);
    for (int i = 0; i < SEGMENT_FIRST_CODED; i++) {
        free(sealed->numbers[i]);
    }
    for (int i = 0; i < CODED_COUNT; i++) {
        free(sealed->codes[i]);
    }
    free(sealed->ids);
    free(sealed->places);
    free(sealed->sorted);
    free(sealed);
}

/* --- choosing rows -------------------------------------------------------- */

static const struct segment_layout *layout_of(const struct sealed *sealed)
{
    return &segment_store_directory(sealed->segment)->layout;
}

static enum lb_err read_times(struct sealed *sealed,
                              size_t first_row,
                              size_t end_row,
                              bool *is_read,
                              struct lb_error *err)
{
    const struct segment_layout *layout = layout_of(sealed);
    enum lb_err rc = LB_OK;

    for (size_t block = segment_layout_block(layout, first_row);
         layout->first_rows[block] < end_row && rc == LB_OK; block++) {
        if (!is_read[block]) {
            rc = segment_store_numbers(
                sealed->segment, SEGMENT_TS, block,
                sealed->numbers[SEGMENT_TS] + layout->first_rows[block], err);
            is_read[block] = true;
        }
    }
    return rc;
}

/* The first row from first on whose ts is not before at_ms. */
static size_t
lower_bound(const int64_t *ts, size_t first, size_t end, int64_t at_ms)
{
    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (ts[middle] < at_ms) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

static void add_rows(struct sealed *sealed, size_t first, size_t end)
{
    const struct segment_layout *layout = layout_of(sealed);

    for (size_t row = first; row < end; row++) {
        sealed->places[sealed->place_count++].row = (uint32_t)row;
    }
    for (size_t block = segment_layout_block(layout, first);
         first < end && layout->first_rows[block] < end; block++) {
        sealed->is_needed[block] = true;
    }
}

static enum lb_err choose_site(struct sealed *sealed,
                               const struct segment_site *site,
                               bool *is_read,
                               struct lb_error *err)
{
    const struct segment_wish *wish = &sealed->wish;
    int64_t from_ms = segment_store_from_ms(wish, site->site);
    size_t first = site->first_row;
    size_t end = first + site->row_count;
    enum lb_err rc = LB_OK;

    if (site->last_at_ms < from_ms || site->first_at_ms >= wish->to_at_ms) {
        return LB_OK;
    }
    if (site->first_at_ms < from_ms || site->last_at_ms >= wish->to_at_ms) {
        rc = read_times(sealed, first, end, is_read, err);
        if (rc == LB_OK) {
            const int64_t *ts = sealed->numbers[SEGMENT_TS];

            end = lower_bound(ts, first, end, wish->to_at_ms);
            first = lower_bound(ts, first, end, from_ms);
        }
    }
    if (rc == LB_OK) {
        add_rows(sealed, first, end);
    }
    return rc;
}

static enum lb_err choose_rows(struct sealed *sealed, struct lb_error *err)
{
    const struct segment_directory *directory =
        segment_store_directory(sealed->segment);
    bool is_read[SEGMENT_BLOCKS] = {false};
    enum lb_err rc = LB_OK;

    sealed->place_count = 0;
    sealed->next_place = 0;
    sealed->next_change = 0;
    memset(sealed->is_needed, 0, sizeof(sealed->is_needed));
    for (size_t i = 0; i < directory->site_count && rc == LB_OK; i++) {
        bool is_wished = sealed->wish.sites == NULL;

        for (size_t j = 0; j < sealed->wish.site_count && !is_wished; j++) {
            is_wished = sealed->wish.sites[j] == directory->sites[i].site;
        }
        if (is_wished) {
            rc = choose_site(sealed, &directory->sites[i], is_read, err);
        }
    }
    return rc;
}

/* --- unpacking ------------------------------------------------------------ */

static bool is_wanted(const struct sealed *sealed, int column)
{
    return (sealed->wanted >> column & 1) != 0;
}

static enum lb_err
read_block(struct sealed *sealed, size_t block, struct lb_error *err)
{
    size_t first = layout_of(sealed)->first_rows[block];
    enum lb_err rc = LB_OK;

    for (int i = 0; i < SEGMENT_FIRST_CODED && rc == LB_OK; i++) {
        if (is_wanted(sealed, i)) {
            rc = segment_store_numbers(sealed->segment, i, block,
                                       sealed->numbers[i] + first, err);
        }
    }
    for (int i = 0; i < CODED_COUNT && rc == LB_OK; i++) {
        if (is_wanted(sealed, SEGMENT_FIRST_CODED + i)) {
            rc = segment_store_codes(sealed->segment, SEGMENT_FIRST_CODED + i,
                                     block, sealed->codes[i] + first, err);
        }
    }
    return rc == LB_OK && is_wanted(sealed, SEGMENT_ID)
               ? segment_store_ids(sealed->segment, block, sealed->ids + first,
                                   err)
               : rc;
}

static size_t part_count(int dict)
{
    return dict == ENTRY_DICT_PLACE    ? PLACE_PARTS
           : dict == ENTRY_DICT_DEVICE ? DEVICE_PARTS
                                       : 1;
}

/* The texts of a dictionary column's values, in parts where they are joined. */
static enum lb_err
read_words(struct sealed *sealed, int dict, struct lb_error *err)
{
    const struct segment_column *column =
        sealed->columns[SEGMENT_DICT - SEGMENT_FIRST_CODED + dict];
    size_t parts = part_count(dict);
    const char **words = segment_store_alloc(
        sealed->segment, column->value_count * parts * sizeof(*words));

    if (words == NULL) {
        return no_memory(err);
    }
    for (size_t code = 0; code < column->value_count; code++) {
        const char *text =
            dict_cache_text(sealed->cache, sealed->db, column->numbers[code]);
        size_t bytes = text == NULL ? 1 : strlen(text) + 1;
        char *joined;

        if (parts == 1) {
            words[code] = text;
            continue;
        }
        joined = segment_store_alloc(sealed->segment, bytes);
        if (joined == NULL) {
            return no_memory(err);
        }
        log_split(text, joined, bytes, &words[code * parts], parts);
    }
    sealed->words[dict] = words;
    return LB_OK;
}

static enum lb_err read_tables(struct sealed *sealed, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (int i = 0; i < CODED_COUNT && rc == LB_OK; i++) {
        if (is_wanted(sealed, SEGMENT_FIRST_CODED + i)) {
            rc = segment_store_column(sealed->segment, SEGMENT_FIRST_CODED + i,
                                      &sealed->columns[i], err);
        }
    }
    for (int i = 0; i < ENTRY_DICT_COUNT && rc == LB_OK; i++) {
        if (sealed->cache != NULL && is_wanted(sealed, SEGMENT_DICT + i)) {
            rc = read_words(sealed, i, err);
        }
    }
    return rc;
}

/* --- order ---------------------------------------------------------------- */

static void
pass(const struct place *from, struct place *to, size_t count, unsigned shift)
{
    size_t at[RADIX] = {0};
    size_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        at[from[i].offset >> shift & (RADIX - 1)]++;
    }
    for (size_t i = 0; i < RADIX; i++) {
        size_t here = at[i];

        at[i] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++) {
        to[at[from[i].offset >> shift & (RADIX - 1)]++] = from[i];
    }
}

/* Keeps the rows within the wished log numbers and sorts them (radix sort). */
static enum lb_err sort_rows(struct sealed *sealed, struct lb_error *err)
{
    const int64_t *seqs = sealed->numbers[SEGMENT_SEQ];
    const struct segment_info *info = segment_store_info(sealed->segment);
    uint32_t greatest = 0;
    size_t count = 0;

    for (size_t i = 0; i < sealed->place_count; i++) {
        struct place place = sealed->places[i];
        int64_t seq = seqs[place.row];

        if (seq <= info->after_seq || seq > info->upto_seq ||
            seq - info->after_seq > UINT32_MAX) {
            return lb_err_set(err, LB_EFORMAT,
                              "segment %lld of the log is damaged (a log "
                              "number); restore a backup",
                              (long long)info->number);
        }
        if (seq > sealed->wish.after_seq && seq <= sealed->wish.upto_seq) {
            place.offset = (uint32_t)(seq - info->after_seq);
            greatest = place.offset > greatest ? place.offset : greatest;
            sealed->places[count++] = place;
        }
    }
    sealed->place_count = count;
    for (unsigned shift = 0; shift < 32 && greatest >> shift != 0;
         shift += RADIX_BITS) {
        struct place *from = sealed->places;

        pass(from, sealed->sorted, count, shift);
        sealed->places = sealed->sorted;
        sealed->sorted = from;
    }
    return LB_OK;
}

/* Opens the next segment that has rows; segment stays NULL at the end. */
static enum lb_err open_next(struct sealed *sealed, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    segment_store_close(sealed->segment);
    sealed->segment = NULL;
    sealed->place_count = 0;
    sealed->next_place = 0;
    while (rc == LB_OK && sealed->next_info < sealed->info_count) {
        const struct segment_info *info = &sealed->infos[sealed->next_info++];

        segment_store_close(sealed->segment);
        rc = segment_store_open(sealed->db, info, sealed->packer,
                                &sealed->segment, err);
        rc = rc == LB_OK ? choose_rows(sealed, err) : rc;
        if (rc != LB_OK || sealed->place_count == 0) {
            continue;
        }
        rc = read_tables(sealed, err);
        for (size_t i = 0; i < SEGMENT_BLOCKS && rc == LB_OK; i++) {
            rc = sealed->is_needed[i] ? read_block(sealed, i, err) : LB_OK;
        }
        rc = rc == LB_OK ? sort_rows(sealed, err) : rc;
        if (sealed->place_count > 0) {
            break;
        }
    }
    return rc;
}

/* --- rows ----------------------------------------------------------------- */

static int64_t
value_of(const struct sealed *sealed, int column, size_t row, int64_t fallback)
{
    int at = column - SEGMENT_FIRST_CODED;

    return is_wanted(sealed, column)
               ? sealed->columns[at]->numbers[sealed->codes[at][row]]
               : fallback;
}

static void fill_numbers(struct sealed *sealed, size_t row)
{
    struct entry *entry = &sealed->entry;
    int64_t amount = value_of(sealed, SEGMENT_AMOUNT, row, SEGMENT_NONE);

    entry->kind = ENTRY_EVENT;
    entry->seq = sealed->numbers[SEGMENT_SEQ][row];
    entry->ts_at_ms = sealed->numbers[SEGMENT_TS][row];
    entry->received_at_ms = sealed->numbers[SEGMENT_RECEIVED][row];
    entry->visitor = is_wanted(sealed, SEGMENT_VISITOR)
                         ? sealed->numbers[SEGMENT_VISITOR][row]
                         : 0;
    entry_set_bits(entry, value_of(sealed, SEGMENT_BITS, row, 0));
    entry->visitor_day = value_of(sealed, SEGMENT_VISITOR_DAY, row, 0);
    entry->has_amount = amount != SEGMENT_NONE;
    entry->amount_hundredths = entry->has_amount ? amount : 0;
    entry->bot_entry = (uint32_t)value_of(sealed, SEGMENT_BOT_ENTRY, row, 0);
    for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
        entry->dict[i] = value_of(sealed, SEGMENT_DICT + i, row, 0);
    }
}

/* The texts of a dictionary column: one, or the parts of a joined one. */
static void
fill_words(struct sealed *sealed, int dict, enum entry_text first, size_t row)
{
    int at = SEGMENT_DICT - SEGMENT_FIRST_CODED + dict;
    size_t parts = part_count(dict);

    if (sealed->cache != NULL && is_wanted(sealed, SEGMENT_DICT + dict)) {
        memcpy(&sealed->entry.text[first],
               &sealed->words[dict][sealed->codes[at][row] * parts],
               parts * sizeof(sealed->entry.text[0]));
    }
}

static void fill_texts(struct sealed *sealed, size_t row)
{
    static const enum entry_text firsts[ENTRY_DICT_COUNT] = {
        [ENTRY_DICT_LINK] = ENTRY_TEXT_LINK,
        [ENTRY_DICT_SOURCE] = ENTRY_TEXT_SOURCE,
        [ENTRY_DICT_CHANNEL] = ENTRY_TEXT_CHANNEL,
        [ENTRY_DICT_UTM_SOURCE] = ENTRY_TEXT_UTM_SOURCE,
        [ENTRY_DICT_UTM_MEDIUM] = ENTRY_TEXT_UTM_MEDIUM,
        [ENTRY_DICT_UTM_CAMPAIGN] = ENTRY_TEXT_UTM_CAMPAIGN,
        [ENTRY_DICT_PLACE] = ENTRY_TEXT_COUNTRY,
        [ENTRY_DICT_DEVICE] = ENTRY_TEXT_DEVICE,
        [ENTRY_DICT_REASON] = ENTRY_TEXT_REASON};
    struct entry *entry = &sealed->entry;

    for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
        fill_words(sealed, i, firsts[i], row);
    }
    for (int i = SEGMENT_FIRST_TEXT; i < SEGMENT_ID; i++) {
        int at = i - SEGMENT_FIRST_CODED;

        if (is_wanted(sealed, i)) {
            entry->text[segment_text_of(i)] =
                sealed->columns[at]->texts[sealed->codes[at][row]];
        }
    }
    if (is_wanted(sealed, SEGMENT_ID)) {
        entry->text[ENTRY_TEXT_ID] = sealed->ids[row];
    }
}

static int64_t site_of(const struct sealed *sealed, size_t row)
{
    const struct segment_directory *directory =
        segment_store_directory(sealed->segment);
    size_t low = 0;
    size_t high = directory->site_count;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if (directory->sites[middle].first_row <= row) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return directory->sites[low].site;
}

/* What changed since the segment was written; false: the event is gone. */
static bool apply_change(struct sealed *sealed)
{
    size_t count;
    const struct segment_change *changes =
        segment_store_changes(sealed->segment, &count);
    struct entry *entry = &sealed->entry;

    while (sealed->next_change < count &&
           changes[sealed->next_change].seq < entry->seq) {
        sealed->next_change++;
    }
    if (sealed->next_change < count &&
        changes[sealed->next_change].seq == entry->seq) {
        const struct segment_change *change = &changes[sealed->next_change];

        if (change->is_gone) {
            return false;
        }
        entry_set_bits(entry, change->bits);
        entry->dict[ENTRY_DICT_REASON] = change->reason;
        if (sealed->cache != NULL) {
            entry->text[ENTRY_TEXT_REASON] =
                dict_cache_text(sealed->cache, sealed->db, change->reason);
        }
    }
    return true;
}

static void fill(struct sealed *sealed, size_t row)
{
    memset(&sealed->entry, 0, sizeof(sealed->entry));
    sealed->entry.site = site_of(sealed, row);
    fill_numbers(sealed, row);
    fill_texts(sealed, row);
}

enum lb_err sealed_next(struct sealed *sealed,
                        struct entry **entry_out,
                        struct lb_error *err)
{
    bool is_there = false;

    *entry_out = NULL;
    while (!is_there) {
        enum lb_err rc = sealed->next_place == sealed->place_count
                             ? open_next(sealed, err)
                             : LB_OK;

        if (rc != LB_OK || sealed->place_count == 0) {
            return rc;
        }
        fill(sealed, sealed->places[sealed->next_place++].row);
        is_there = apply_change(sealed);
    }
    *entry_out = &sealed->entry;
    return LB_OK;
}

enum lb_err sealed_find(struct sealed *sealed,
                        int64_t seq,
                        struct entry **entry_out,
                        struct lb_error *err)
{
    size_t low = 0;
    size_t high;
    enum lb_err rc = LB_OK;

    *entry_out = NULL;
    if (sealed->segment == NULL) {
        rc = open_next(sealed, err);
    }
    high = sealed->place_count;
    while (rc == LB_OK && low < high) {
        size_t middle = (low + high) / 2;
        size_t row = sealed->places[middle].row;
        int64_t found = sealed->numbers[SEGMENT_SEQ][row];

        if (found == seq) {
            fill(sealed, row);
            sealed->next_change = 0;
            *entry_out = apply_change(sealed) ? &sealed->entry : NULL;
            return LB_OK;
        }
        if (found < seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return rc;
}
