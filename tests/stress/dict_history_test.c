/* Three processes use two keys of a shared dict for a moment, and write down when each call began
 * and ended, and what it said. Whatever that is, a simple dict must be able to say it, too, in some
 * order in which each call has its moment between its begin and its end. KIN_TRIALS says how many
 * such moments there are (default 3000). */
#include "harness.h"
#include <kin/collection.h>

#include <sched.h>

enum { CROWD = 3, CALLS = 6, KEYS = 2, OPS = CROWD * CALLS };
enum what { GET, SET, POP, ADD, CLEAR, LEN, DEFAULT, WHATS };

/* A value of 0 is a key that is not there. */
struct op {
    enum what what;
    int key;
    int64_t given, said;
    uint64_t begin, end;
};

struct scene {
    kin_shared_dict *dict;
    _Atomic uint64_t clock;
    _Atomic uint32_t moment, present, done;
    _Atomic int odd; /* a code that no call should say */
    struct op ops[CROWD][CALLS];
};

#define OVER UINT32_MAX

/* ---- the simple dict, and the search --------------------------------------------------------- */

struct simple {
    int64_t values[KEYS];
};

/* Does it, if that is what it would have said. */
static bool apply(struct simple *s, const struct op *op)
{
    int64_t *value = &s->values[op->key];
    int64_t said = op->what == LEN ? (s->values[0] != 0) + (s->values[1] != 0) : *value;
    switch (op->what) {
    case SET:
        *value = op->given;
        return true;
    case CLEAR:
        *s = (struct simple){ { 0 } };
        return true;
    case ADD:
        *value += op->given;
        return *value == op->said;
    case POP:
        *value = 0;
        return said == op->said;
    case DEFAULT:
        *value = said != 0 ? said : op->given;
        return *value == op->said;
    default:
        return said == op->said;
    }
}

#define SEEN 65536

struct search {
    struct op ops[OPS];
    uint64_t seen[SEEN];
};

static bool is_new(struct search *s, uint64_t done, const struct simple *state)
{
    uint64_t hash = done * UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < KEYS; i++) {
        hash = (hash ^ hash >> 29 ^ (uint64_t)state->values[i]) * UINT64_C(0xbf58476d1ce4e5b9);
    }
    hash |= 1;
    uint64_t *place = &s->seen[hash >> 40 & (SEEN - 1)]; /* who is forgotten is looked at again */
    bool known = *place == hash;
    *place = hash;
    return !known;
}

static bool search(struct search *s, uint64_t done, struct simple state)
{
    if (done == (UINT64_C(1) << OPS) - 1) {
        return true;
    }
    uint64_t soonest = UINT64_MAX;
    for (int i = 0; i < OPS; i++) {
        if (!(done >> i & 1) && s->ops[i].end < soonest) {
            soonest = s->ops[i].end;
        }
    }
    for (int i = 0; i < OPS; i++) {
        struct simple after = state;
        if (!(done >> i & 1) && s->ops[i].begin < soonest && apply(&after, &s->ops[i]) &&
            is_new(s, done | UINT64_C(1) << i, &after) &&
            search(s, done | UINT64_C(1) << i, after)) {
            return true;
        }
    }
    return false;
}

static bool is_linear(const struct scene *scene)
{
    static struct search s;
    memset(&s, 0, sizeof s);
    memcpy(s.ops, scene->ops, sizeof s.ops);
    return search(&s, 0, (struct simple){ { 0 } });
}

/* ---- one of the crowd ------------------------------------------------------------------------ */

static uint64_t draw(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random >> 11;
}

/* Between the steps of a call, now and then, it is somebody else's turn. */
static void dawdle(const char *step)
{
    static uint64_t random;
    (void)step;
    random = random != 0 ? random : (uint64_t)kin__os_now() | 1;
    uint64_t choice = draw(&random);
    if (choice % 8 == 0) {
        sched_yield();
    } else if (choice % 8 == 1) {
        for (uint64_t i = choice / 8 % 256; i > 0; i--) {
            kin__os_pause();
        }
    }
}

/* The second key's values take blocks. */
static kin_obj object_of(int key, int64_t value)
{
    return key == 0 ? kin_int(value) : kin_strf("a text in a block, and a number: %d", (int)value);
}

static int64_t value_of(int key, kin_obj o)
{
    int64_t value = kin_is_none(o) ? 0
                    : key == 0     ? kin_as_int(o)
                                   : atoi(strrchr(kin_as_str(o), ' '));
    kin_release(o);
    return value;
}

static int call(kin_shared_dict *d, const struct op *op, kin_obj *ret)
{
    kin_obj key = kin_int(op->key);
    switch (op->what) {
    case GET:
        return kin_shared_dict_get(d, key, ret);
    case SET:
        return kin_shared_dict_set(d, key, object_of(op->key, op->given));
    case POP:
        return kin_shared_dict_pop(d, key, ret);
    case ADD:
        return kin_shared_dict_add(d, key, object_of(op->key, op->given), ret);
    case DEFAULT:
        return kin_shared_dict_setdefault(d, key, object_of(op->key, op->given), ret);
    case CLEAR:
        return kin_shared_dict_clear(d);
    default:
        return (int)kin_shared_dict_len(d);
    }
}

static void do_one(struct scene *s, struct op *op, uint64_t choice, int64_t given)
{
    static const enum what whats[] = { GET, GET, GET, SET, SET, POP, ADD, DEFAULT, LEN, CLEAR };
    kin_obj o = kin_none();
    op->what = whats[choice % 10];
    op->key = op->what == ADD ? 0 : (int)(choice / 16 % KEYS);
    op->given = given;
    op->begin = atomic_fetch_add(&s->clock, 1);
    int rv = call(s->dict, op, &o);
    op->end = atomic_fetch_add(&s->clock, 1);
    op->said = rv == KIN_ENOTFOUND ? 0 : op->what == LEN ? rv : value_of(op->key, o);
    if (rv < 0 && rv != KIN_ENOTFOUND) {
        s->odd = rv;
    }
}

struct lane {
    struct scene *scene;
    int number;
};

static int live(void *ctx)
{
    struct lane *l = ctx;
    struct scene *s = l->scene;
    uint64_t random = test_random() ^ (uint64_t)kin__os_now() ^ ((uint64_t)l->number << 40);
    kin__step_hook(dawdle);
    for (uint32_t moment = 1;; moment++) {
        while (s->moment < moment) {
            sched_yield();
        }
        if (s->moment == OVER) {
            return 0;
        }
        s->present++;
        while (s->present < moment * CROWD) { /* all begin at once */
            sched_yield();
        }
        for (int i = 0; i < CALLS; i++) {
            do_one(s, &s->ops[l->number][i], draw(&random), 1 + l->number * CALLS + i);
        }
        s->done++;
    }
}

/* ---- the moment, from outside ---------------------------------------------------------------- */

static void tell(const struct scene *s)
{
    static const char *const names[] = { "get", "set", "pop", "add", "clear", "len", "default" };
    for (int i = 0; i < OPS; i++) {
        const struct op *op = &s->ops[i / CALLS][i % CALLS];
        printf("# %d: %3d to %3d %s %d given %d said %d\n", i / CALLS, (int)op->begin, (int)op->end,
               names[op->what], op->key, (int)op->given, (int)op->said);
    }
}

static int trials(void)
{
    const char *text = getenv("KIN_TRIALS");
    return text != NULL ? atoi(text) : 3000;
}

TEST_WITHIN(1100, what_is_said_of_two_keys_can_be_said_one_after_the_other)
{
    struct scene *s = test_shared(sizeof *s);
    struct lane lanes[CROWD];
    pid_t pids[CROWD];
    CHECK_OK(kin_shared_dict_new(&s->dict, NULL));
    for (int i = 0; i < CROWD; i++) {
        lanes[i] = (struct lane){ s, i };
        pids[i] = test_child(live, &lanes[i]);
    }
    int n = trials();
    for (int moment = 1; moment <= n; moment++) {
        CHECK_OK(kin_shared_dict_clear(s->dict));
        s->clock = 0;
        s->moment = (uint32_t)moment;
        while (s->done < (uint32_t)moment * CROWD) {
            sched_yield();
        }
        bool linear = is_linear(s);
        if (!linear) {
            tell(s);
        }
        CHECK_(linear && s->odd == 0, "no simple dict says so (%s)", kin_errname(s->odd));
    }
    s->moment = OVER;
    for (int i = 0; i < CROWD; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    kin_shared_dict_free(s->dict);
}

/* The checker must be able to find fault. */
TEST(a_history_that_no_dict_has_is_found)
{
    struct scene *s = test_shared(sizeof *s);
    for (int i = 0; i < OPS; i++) {
        s->ops[i / CALLS][i % CALLS] =
            (struct op){ GET, 0, 0, 0, (uint64_t)i * 2, (uint64_t)i * 2 + 1 };
    }
    CHECK(is_linear(s));
    s->ops[0][0].what = SET;
    s->ops[0][0].given = 3;
    CHECK(!is_linear(s));
    for (int i = 1; i < OPS; i++) {
        s->ops[i / CALLS][i % CALLS].said = 3;
    }
    CHECK(is_linear(s));
    s->ops[2][0].said = 0; /* a key that is gone for a moment */
    CHECK(!is_linear(s));
}
