/* v2_regex.c - regular expressions in linear time. */
#include "aggregate/v2_regex.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define REPEATS 255 /* at most, in {m,n} */
#define DEPTH 64
#define SET_WORDS 4

enum state_kind {
    STATE_SET,   /* one byte of a set */
    STATE_SPLIT, /* two ways on */
    STATE_BEGIN, /* ^ */
    STATE_END,   /* $ */
    STATE_WORD,  /* \b */
    STATE_NO_WORD,
    STATE_MATCH
};

struct state {
    enum state_kind kind;
    uint64_t set[SET_WORDS];
    int next; /* -1: not yet known */
    int other;
};

/* States that are active, each once. */
struct active {
    int *list; /* owned */
    int count;
    uint64_t *marks; /* owned; the round in which a state was added */
};

struct v2_regex {
    struct state *states; /* owned */
    int count;
    int cap;
    int start;
    struct active now;
    struct active then;
    int *stack; /* owned */
    uint64_t round;
};

/* A piece of the automaton: where it begins and which state leads out of it. */
struct piece {
    int first;
    int last; /* a STATE_SPLIT whose other is -1 stands at the end */
};

struct parsing {
    struct v2_regex *regex;
    const char *at;
    unsigned depth;
    bool is_folded;
    bool is_bad;
};

void v2_regex_free(struct v2_regex *regex)
{
    if (regex != NULL) {
        free(regex->states);
        free(regex->now.list);
        free(regex->now.marks);
        free(regex->then.list);
        free(regex->then.marks);
        free(regex->stack);
        free(regex);
    }
}

/* --- making the automaton ------------------------------------------------- */

static int add_state(struct parsing *parsing, enum state_kind kind)
{
    struct v2_regex *regex = parsing->regex;

    if (regex->count == regex->cap) {
        int cap = regex->cap == 0 ? 64 : regex->cap * 2;
        struct state *states =
            cap > V2_REGEX_STATES
                ? NULL
                : realloc(regex->states, (size_t)cap * sizeof(*states));

        if (states == NULL) {
            parsing->is_bad = true;
            return 0;
        }
        regex->states = states;
        regex->cap = cap;
    }
    regex->states[regex->count] =
        (struct state){.kind = kind, .next = -1, .other = -1};
    return regex->count++;
}

static struct state *state_at(struct parsing *parsing, int index)
{
    return &parsing->regex->states[index];
}

/* A state that consumes nothing and leads on. */
static struct piece add_empty(struct parsing *parsing)
{
    int index = parsing->is_bad ? 0 : add_state(parsing, STATE_SPLIT);

    return (struct piece){index, index};
}

static struct piece add_one(struct parsing *parsing, enum state_kind kind)
{
    int index = parsing->is_bad ? 0 : add_state(parsing, kind);

    return (struct piece){index, index};
}

static struct piece
join(struct parsing *parsing, struct piece left, struct piece right)
{
    if (parsing->is_bad) {
        return left;
    }
    state_at(parsing, left.last)->next = right.first;
    return (struct piece){left.first, right.last};
}

static void set_byte(struct state *state, unsigned char byte)
{
    state->set[byte / 64] |= UINT64_C(1) << (byte % 64);
}

static bool has_byte(const struct state *state, unsigned char byte)
{
    return (state->set[byte / 64] >> (byte % 64) & 1) != 0;
}

/* Either case stands for both. */
static void fold(struct state *state)
{
    for (int c = 'a'; state->kind == STATE_SET && c <= 'z'; c++) {
        unsigned char upper = (unsigned char)(c - 'a' + 'A');

        if (has_byte(state, (unsigned char)c) || has_byte(state, upper)) {
            set_byte(state, (unsigned char)c);
            set_byte(state, upper);
        }
    }
}

static void set_class(struct state *state, int (*is_in)(int), bool is_opposite)
{
    for (int c = 1; c < 256; c++) {
        bool is_word_bar = is_in == isalnum && c == '_';

        if (((c < 128 && is_in(c) != 0) || is_word_bar) != is_opposite) {
            set_byte(state, (unsigned char)c);
        }
    }
}

/* \d \w \s and their opposites; false for another letter. */
static bool set_escape(struct state *state, char letter)
{
    bool is_opposite = letter == 'D' || letter == 'W' || letter == 'S';

    switch (letter) {
    case 'd':
    case 'D':
        set_class(state, isdigit, is_opposite);
        return true;
    case 'w':
    case 'W':
        set_class(state, isalnum, is_opposite);
        return true;
    case 's':
    case 'S':
        set_class(state, isspace, is_opposite);
        return true;
    default:
        return false;
    }
}

static struct piece read_escape(struct parsing *parsing)
{
    char letter = *parsing->at;
    struct piece piece;

    if (letter == 'b' || letter == 'B') {
        parsing->at++;
        return add_one(parsing, letter == 'b' ? STATE_WORD : STATE_NO_WORD);
    }
    piece = add_one(parsing, STATE_SET);
    if (letter == '\0' || parsing->is_bad) {
        parsing->is_bad = true;
        return piece;
    }
    parsing->at++;
    if (!set_escape(state_at(parsing, piece.first), letter)) {
        /* Other letters and digits mean something elsewhere, nothing here. */
        parsing->is_bad = isalnum((unsigned char)letter) != 0;
        set_byte(state_at(parsing, piece.first), (unsigned char)letter);
    }
    return piece;
}

static bool read_named_class(struct parsing *parsing, struct state *state)
{
    static const struct {
        const char *name;
        int (*is_in)(int);
    } classes[] = {
        {"alpha:]", isalpha}, {"digit:]", isdigit},  {"upper:]", isupper},
        {"lower:]", islower}, {"space:]", isspace},  {"blank:]", isblank},
        {"punct:]", ispunct}, {"print:]", isprint},  {"graph:]", isgraph},
        {"cntrl:]", iscntrl}, {"xdigit:]", isxdigit}};

    if (strncmp(parsing->at, "alnum:]", 7) == 0) {
        set_class(state, isalpha, false);
        set_class(state, isdigit, false);
        parsing->at += 7;
        return true;
    }
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        size_t len = strlen(classes[i].name);

        if (strncmp(parsing->at, classes[i].name, len) == 0) {
            set_class(state, classes[i].is_in, false);
            parsing->at += len;
            return true;
        }
    }
    return false;
}

/* A byte of a bracket expression, or a range of them; false when none. */
static bool read_range(struct parsing *parsing, struct state *state)
{
    unsigned char from = (unsigned char)*parsing->at++;
    unsigned char to = from;

    if (from == '\\') {
        char letter = *parsing->at;

        if (letter == '\0') {
            return false;
        }
        parsing->at++;
        if (set_escape(state, letter)) {
            return true;
        }
        from = to = (unsigned char)letter;
    }
    if (parsing->at[0] == '-' && parsing->at[1] != ']' &&
        parsing->at[1] != '\0') {
        to = (unsigned char)parsing->at[1];
        parsing->at += 2;
        if (to == '\\' || to == '[' || to < from) {
            return false;
        }
    }
    for (unsigned c = from; c <= to; c++) {
        set_byte(state, (unsigned char)c);
    }
    return true;
}

static struct piece read_bracket(struct parsing *parsing)
{
    struct piece piece = add_one(parsing, STATE_SET);
    struct state *state;
    bool is_opposite = *parsing->at == '^';
    bool is_first = true;

    if (parsing->is_bad) {
        return piece;
    }
    state = state_at(parsing, piece.first);
    parsing->at += is_opposite ? 1 : 0;
    while (!parsing->is_bad && (is_first || *parsing->at != ']')) {
        if (*parsing->at == '\0') {
            parsing->is_bad = true;
        } else if (parsing->at[0] == '[' && parsing->at[1] == ':') {
            parsing->at += 2;
            parsing->is_bad = !read_named_class(parsing, state);
        } else {
            parsing->is_bad = !read_range(parsing, state);
        }
        is_first = false;
    }
    parsing->at += parsing->is_bad ? 0 : 1;
    if (parsing->is_folded) {
        fold(state);
    }
    for (int i = 0; is_opposite && i < SET_WORDS; i++) {
        state->set[i] = ~state->set[i];
    }
    return piece;
}

static struct piece read_choice(struct parsing *parsing);

static struct piece read_group(struct parsing *parsing)
{
    struct piece piece;

    if (*parsing->at == '?' || ++parsing->depth > DEPTH) {
        parsing->is_bad = true;
        return add_empty(parsing);
    }
    piece = read_choice(parsing);
    if (*parsing->at != ')') {
        parsing->is_bad = true;
    } else {
        parsing->at++;
    }
    parsing->depth--;
    return piece;
}

static struct piece read_atom(struct parsing *parsing)
{
    char c = *parsing->at++;
    struct piece piece;

    switch (c) {
    case '(':
        return read_group(parsing);
    case '[':
        return read_bracket(parsing);
    case '\\':
        return read_escape(parsing);
    case '^':
        return add_one(parsing, STATE_BEGIN);
    case '$':
        return add_one(parsing, STATE_END);
    case '*':
    case '+':
    case '?':
    case '{':
        parsing->is_bad = true;
        return add_empty(parsing);
    default:
        break;
    }
    piece = add_one(parsing, STATE_SET);
    if (!parsing->is_bad && c == '.') {
        memset(state_at(parsing, piece.first)->set, 0xff,
               sizeof(state_at(parsing, piece.first)->set));
    } else if (!parsing->is_bad) {
        set_byte(state_at(parsing, piece.first), (unsigned char)c);
    }
    return piece;
}

/* --- repeating ------------------------------------------------------------ */

/* A copy of the states from on, which are those of one piece. */
static struct piece
copy(struct parsing *parsing, int from, int to, struct piece piece)
{
    int shift = parsing->regex->count - from;

    for (int i = from; i < to && !parsing->is_bad; i++) {
        int index = add_state(parsing, STATE_SPLIT);

        if (parsing->is_bad) {
            break;
        }
        *state_at(parsing, index) = *state_at(parsing, i);
        if (state_at(parsing, index)->next >= from) {
            state_at(parsing, index)->next += shift;
        }
        if (state_at(parsing, index)->other >= from) {
            state_at(parsing, index)->other += shift;
        }
    }
    return (struct piece){piece.first + shift, piece.last + shift};
}

/* Any number of times, or once at most. */
static struct piece
make_optional(struct parsing *parsing, struct piece piece, bool is_endless)
{
    struct piece head = add_empty(parsing);
    struct piece tail = add_empty(parsing);

    if (parsing->is_bad) {
        return piece;
    }
    state_at(parsing, head.first)->next = piece.first;
    state_at(parsing, head.first)->other = tail.first;
    state_at(parsing, piece.last)->next = is_endless ? head.first : tail.first;
    return (struct piece){head.first, tail.last};
}

static int read_number(struct parsing *parsing)
{
    int number = 0;

    if (isdigit((unsigned char)*parsing->at) == 0) {
        return -1;
    }
    while (isdigit((unsigned char)*parsing->at) != 0 && number <= REPEATS) {
        number = number * 10 + (*parsing->at++ - '0');
    }
    return number;
}

/* {m}, {m,} or {m,n}; most -1: without end. */
static void read_bounds(struct parsing *parsing, int *least, int *most)
{
    *least = read_number(parsing);
    *most = *least;
    if (*parsing->at == ',') {
        parsing->at++;
        *most = read_number(parsing);
    }
    if (*least < 0 || *least > REPEATS || *most > REPEATS ||
        (*most >= 0 && *most < *least) || *parsing->at != '}') {
        parsing->is_bad = true;
        return;
    }
    parsing->at++;
}

static struct piece repeat(
    struct parsing *parsing, int from, struct piece piece, int least, int most)
{
    int to = parsing->regex->count;
    struct piece whole = add_empty(parsing);
    int times = most < 0 ? least + 1 : most;

    for (int i = 0; i < times && !parsing->is_bad; i++) {
        struct piece one = copy(parsing, from, to, piece);

        if (i >= least) {
            one = make_optional(parsing, one, most < 0);
        }
        whole = join(parsing, whole, one);
    }
    return whole;
}

static struct piece read_repeated(struct parsing *parsing)
{
    int from = parsing->regex->count;
    struct piece piece = read_atom(parsing);
    int least = 1;
    int most = 1;

    switch (*parsing->at) {
    case '*':
        least = 0;
        most = -1;
        break;
    case '+':
        most = -1;
        break;
    case '?':
        least = 0;
        break;
    case '{':
        break;
    default:
        return piece;
    }
    if (*parsing->at++ == '{') {
        read_bounds(parsing, &least, &most);
    }
    /* Lazy and possessive ones are of another syntax. */
    parsing->is_bad = parsing->is_bad || (*parsing->at != '\0' &&
                                          strchr("*+?{", *parsing->at) != NULL);
    return parsing->is_bad ? piece : repeat(parsing, from, piece, least, most);
}

static struct piece read_sequence(struct parsing *parsing)
{
    struct piece whole = add_empty(parsing);

    while (!parsing->is_bad && *parsing->at != '\0' && *parsing->at != '|' &&
           *parsing->at != ')') {
        whole = join(parsing, whole, read_repeated(parsing));
    }
    return whole;
}

static struct piece read_choice(struct parsing *parsing)
{
    struct piece whole = read_sequence(parsing);

    while (!parsing->is_bad && *parsing->at == '|') {
        struct piece head = add_empty(parsing);
        struct piece tail = add_empty(parsing);
        struct piece other;

        parsing->at++;
        other = read_sequence(parsing);
        if (parsing->is_bad) {
            break;
        }
        state_at(parsing, head.first)->next = whole.first;
        state_at(parsing, head.first)->other = other.first;
        state_at(parsing, whole.last)->next = tail.first;
        state_at(parsing, other.last)->next = tail.first;
        whole = (struct piece){head.first, tail.last};
    }
    return whole;
}

static bool make_room(struct v2_regex *regex)
{
    size_t count = (size_t)regex->count;

    regex->now.list = calloc(count, sizeof(int));
    regex->now.marks = calloc(count, sizeof(uint64_t));
    regex->then.list = calloc(count, sizeof(int));
    regex->then.marks = calloc(count, sizeof(uint64_t));
    regex->stack = calloc(count * 2 + 2, sizeof(int));
    return regex->now.list != NULL && regex->now.marks != NULL &&
           regex->then.list != NULL && regex->then.marks != NULL &&
           regex->stack != NULL;
}

struct v2_regex *v2_regex_new(const char *text, bool is_folded)
{
    struct v2_regex *regex =
        strlen(text) > V2_REGEX_BYTES ? NULL : calloc(1, sizeof(*regex));
    struct parsing parsing = {
        .regex = regex, .at = text, .is_folded = is_folded};
    struct piece whole;

    if (regex == NULL) {
        return NULL;
    }
    whole = read_choice(&parsing);
    parsing.is_bad = parsing.is_bad || *parsing.at != '\0';
    whole = join(&parsing, whole, add_one(&parsing, STATE_MATCH));
    if (parsing.is_bad || !make_room(regex)) {
        v2_regex_free(regex);
        return NULL;
    }
    regex->start = whole.first;
    for (int i = 0; is_folded && i < regex->count; i++) {
        fold(&regex->states[i]);
    }
    return regex;
}

/* --- matching ------------------------------------------------------------- */

static bool is_word(const char *text, const char *at)
{
    return at >= text && *at != '\0' &&
           (*at == '_' || isalnum((unsigned char)*at) != 0);
}

/* Whether a state that consumes nothing may be passed at a place. */
static bool
may_pass(const struct state *state, const char *text, const char *at)
{
    switch (state->kind) {
    case STATE_BEGIN:
        return at == text;
    case STATE_END:
        return *at == '\0';
    case STATE_WORD:
        return is_word(text, at - 1) != is_word(text, at);
    case STATE_NO_WORD:
        return is_word(text, at - 1) == is_word(text, at);
    case STATE_SPLIT:
        return true;
    case STATE_SET:
    case STATE_MATCH:
        break;
    }
    return false;
}

/* Adds a state and all that it leads to without a byte; true at the end. */
static bool add_active(struct v2_regex *regex,
                       struct active *active,
                       int first,
                       const char *text,
                       const char *at)
{
    int depth = 0;

    regex->stack[depth++] = first;
    while (depth > 0) {
        int index = regex->stack[--depth];
        const struct state *state;

        if (index < 0 || active->marks[index] == regex->round) {
            continue;
        }
        active->marks[index] = regex->round;
        state = &regex->states[index];
        if (state->kind == STATE_MATCH) {
            return true;
        }
        if (state->kind == STATE_SET) {
            active->list[active->count++] = index;
        } else if (may_pass(state, text, at)) {
            regex->stack[depth++] = state->other;
            regex->stack[depth++] = state->next;
        }
    }
    return false;
}

bool v2_regex_matches(struct v2_regex *regex, const char *text)
{
    struct active *now = &regex->now;
    struct active *then = &regex->then;
    bool is_matched;

    regex->round++;
    now->count = 0;
    is_matched = add_active(regex, now, regex->start, text, text);
    for (const char *at = text; !is_matched && *at != '\0'; at++) {
        struct active *before = now;

        regex->round++;
        then->count = 0;
        for (int i = 0; i < now->count && !is_matched; i++) {
            const struct state *state = &regex->states[now->list[i]];

            is_matched = has_byte(state, (unsigned char)*at) &&
                         add_active(regex, then, state->next, text, at + 1);
        }
        is_matched =
            is_matched || add_active(regex, then, regex->start, text, at + 1);
        now = then;
        then = before;
    }
    return is_matched;
}
