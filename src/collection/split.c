/* split.c - the index's segments, made anew aside: larger, as two, or as one of two.
 *
 * Rules, beside those of index.c.
 *   R6  A first segment has 4 buckets, and doubles up to 64. A larger one is split by the next bit
 *       of its hashes. Where few are left, two become one again, and the only one smaller. So what
 *       a directory leads to has 64 always, and readers need not ask (segment_to_read in index.c).
 *   R7  Up to 16 slots of the directory are changed in place, one by one: a reader finds the old
 *       segment or the new one there, and both say the same. For more, the directory is made anew.
 *   R8  The directory grows only as far as the number of entries justifies. So who brings many keys
 *       of one hash gets a long chain (R5), and no endless directory.
 *
 * Death. What was made aside is noted as new in the change, before anything leads there.
 */
#include "table.h"

#define SLOTS_IN_PLACE 16u
#define ASIDE_MOST 8u /* segments that are made at once */

typedef struct aside {
    unsigned n;
    bool crowded; /* more would be needed */
    kin__segment *made[ASIDE_MOST];
    kin__change *change;
} aside;

static kin__segment *make(aside *a, unsigned depth, unsigned log)
{
    a->crowded = a->n == ASIDE_MOST;
    kin__segment *s = a->crowded ? NULL : kin__segment_new(depth, log);
    if (s != NULL) {
        a->made[a->n++] = s;
    }
    return s;
}

/* Nobody was told of them. */
static void forget(aside *a)
{
    while (a->n > 0) {
        (void)kin__block_free(a->made[--a->n]);
    }
}

static void note(const aside *a)
{
    for (unsigned i = 0; i < a->n; i++) {
        kin__change_new(a->change, kin__block_ref(a->made[i]));
    }
}

/* ---- filling them ---------------------------------------------------------------------------- */

static void write_slot(kin__segment *s, kin__bucket *b, uint64_t hash, kin__ref entry)
{
    uint64_t tags = kin__peek(&b->tags);
    unsigned slot = kin__bucket_space(tags);
    kin__fill(&b->refs[slot], entry);
    kin__fill(&b->tags, tags | kin__tag_of(hash) << slot * 8);
    kin__fill(&s->used, kin__peek(&s->used) + 1);
}

static bool has_space(const kin__bucket *b)
{
    return kin__bucket_space(kin__peek(&b->tags)) < KIN__BUCKET_SLOTS;
}

static bool fill_one(kin__segment *s, uint64_t hash, kin__ref entry)
{
    unsigned probes = kin__segment_probes(s);
    for (unsigned i = 0; i < probes; i++) {
        kin__bucket *b = kin__segment_bucket(s, hash + i);
        if (has_space(b)) {
            write_slot(s, b, hash, entry);
            return true;
        }
        kin__fill(&b->tags, kin__peek(&b->tags) | KIN__BUCKET_FULL);
    }
    return false;
}

/* Into a segment, or one of those behind it. False: crowded, or no memory. */
static bool fill(aside *a, kin__segment *s, uint64_t hash, kin__ref entry)
{
    while (!fill_one(s, hash, entry)) {
        kin__segment *next = kin__segment_at(kin__peek(&s->next));
        if (next == NULL) {
            next = make(a, (unsigned)kin__peek(&s->depth), KIN__SEGMENT_LEAST);
            if (next == NULL) {
                return false;
            }
            kin__fill(&s->next, kin__block_ref(next));
        }
        s = next;
    }
    return true;
}

/* Those of the first `parts` made that a hash belongs to. */
static kin__segment *part_of(const aside *a, unsigned parts, uint64_t hash)
{
    uint64_t depth = kin__peek(&a->made[0]->depth);
    return parts == 1 ? a->made[0] : a->made[hash >> (64 - depth) & 1];
}

static bool pour_slot(aside *a, unsigned parts, kin__ref ref, kin__ref but)
{
    kin__entry *e = ref != 0 && ref != but ? kin__block_place(ref, sizeof *e) : NULL;
    if (e == NULL) {
        return true;
    }
    uint64_t hash = kin__peek(&e->hash);
    return fill(a, part_of(a, parts, hash), hash, ref);
}

/* Entries lie anywhere; their hashes shall be on the way before they are asked for. */
static void fetch(const kin__bucket *b)
{
    for (unsigned slot = 0; slot < KIN__BUCKET_SLOTS; slot++) {
        __builtin_prefetch(kin__block_place(kin__peek(&b->refs[slot]), sizeof(kin__entry)));
    }
}

/* Puts all entries of a chain of segments there, but one. */
static bool pour(aside *a, unsigned parts, kin__ref from, kin__ref but)
{
    for (kin__segment *s = kin__segment_at(from); s != NULL;
         s = kin__segment_at(kin__peek(&s->next))) {
        size_t slots = (KIN__BUCKET_SLOTS * UINT64_C(1)) << kin__peek(&s->log);
        for (size_t i = 0; i < slots; i++) {
            kin__bucket *b = &s->buckets[i / KIN__BUCKET_SLOTS];
            unsigned slot = (unsigned)(i % KIN__BUCKET_SLOTS);
            if (slot == 0 && i + KIN__BUCKET_SLOTS < slots) {
                fetch(b + 1);
            }
            bool is_there = kin__peek(&b->tags) >> slot * 8 & 0xff;
            if (is_there && !pour_slot(a, parts, kin__peek(&b->refs[slot]), but)) {
                return false;
            }
        }
    }
    return true;
}

/* The old ones; how many: more than `most` are not told apart. */
static unsigned list_chain(kin__ref ref, kin__ref *ret, unsigned most)
{
    unsigned n = 0;
    for (kin__segment *s = kin__segment_at(ref); s != NULL && n < most;
         s = kin__segment_at(kin__peek(&s->next))) {
        ret[n++] = ref;
        ref = kin__peek(&s->next);
    }
    return ref != 0 ? most + 1 : n;
}

/* ---- hanging them in -------------------------------------------------------------------------
 *
 * What is made takes the place of the segments of all hashes that begin with the same `base` bits;
 * `parts_log` further bits choose one of the made: none for one of them, one for two. The directory
 * may be deeper than that by `spare` bits: so many slots, 2^spare, lead to each.
 *
 *     depth 4, hash 10..., base 2, parts_log 1: spare 1
 *
 *        bits of a slot      b b p s       slots
 *                            | | | |         .. 0111 | 1000 1001 1010 1011 | 1100 ..
 *          base -------------+-+ | |                 |   \  /       \  /    |
 *          parts_log ------------+ |           old   |  made[0]   made[1]  |   old
 *          spare ------------------+                 first                 first + span
 */

/* The directory's depth. */
static unsigned depth_of(uint64_t root)
{
    kin__directory *d =
        root & KIN__DIRECTORY_BIT ? kin__block_place(root & ~KIN__DIRECTORY_BIT, sizeof *d) : NULL;
    return d != NULL ? (unsigned)kin__peek(&d->depth) : 0;
}

typedef struct range {
    uint64_t hash; /* one of them */
    unsigned base, parts_log;
} range;

/* The same in a directory of some depth. */
typedef struct slots {
    uint64_t first, span;
    unsigned spare;
} slots;

static unsigned least_depth(const range *r)
{
    return r->base + r->parts_log;
}

static slots slots_in(const range *r, unsigned depth)
{
    unsigned below = depth - r->base; /* bits that are not the same for all */
    return (slots){ .first = r->base == 0 ? 0 : r->hash >> (64 - r->base) << below,
                    .span = UINT64_C(1) << below,
                    .spare = depth - least_depth(r) };
}

static kin__ref made_for(const aside *a, const slots *s, uint64_t slot)
{
    return kin__block_ref(a->made[(slot - s->first) >> s->spare]);
}

static void hang_in_place(kin__table *t, kin__directory *d, const aside *a, const slots *s)
{
    for (uint64_t i = s->first; i < s->first + s->span; i++) {
        kin__change_write(&t->change, &d->slots[i], made_for(a, s, i));
    }
}

static kin__directory *new_directory(unsigned depth)
{
    kin__directory *d = kin__block_new(sizeof *d + (sizeof(kin__word) << depth), KIN__MESSAGE);
    if (d != NULL) {
        kin__fill(&d->depth, depth);
    }
    return d;
}

/* The table leads there from now on; its directory, if it had one, is freed. */
static void hang_from_table(kin__table *t, uint64_t root, uint64_t new_root)
{
    kin__change_write(&t->change, &t->directory, new_root);
    kin__change_dead(&t->change, root & KIN__DIRECTORY_BIT ? root & ~KIN__DIRECTORY_BIT : 0);
}

/* R7. With the old segments where nothing changes. */
static int hang_anew(kin__table *t, uint64_t root, const aside *a, const range *r)
{
    unsigned old_depth = depth_of(root);
    unsigned depth = old_depth > least_depth(r) ? old_depth : least_depth(r);
    kin__directory *old = kin__block_place(root & ~KIN__DIRECTORY_BIT, sizeof *old);
    kin__directory *d = new_directory(depth);
    if (d == NULL) {
        return kin__failure();
    }
    slots s = slots_in(r, depth);
    for (uint64_t i = 0; i < UINT64_C(1) << depth; i++) {
        bool is_new = i >= s.first && i < s.first + s.span;
        kin__fill(&d->slots[i],
                  is_new ? made_for(a, &s, i) : kin__peek(&old->slots[i >> (depth - old_depth)]));
    }
    kin__ref ref = kin__block_ref(d);
    kin__change_new(&t->change, ref);
    hang_from_table(t, root, ref | KIN__DIRECTORY_BIT);
    return 0;
}

static int hang(kin__table *t, uint64_t root, const aside *a, const range *r)
{
    unsigned depth = depth_of(root);
    if (least_depth(r) == 0) { /* the only one needs no directory */
        hang_from_table(t, root, kin__block_ref(a->made[0]));
        return 0;
    }
    if (depth < least_depth(r) || slots_in(r, depth).span > SLOTS_IN_PLACE) {
        return hang_anew(t, root, a, r);
    }
    slots s = slots_in(r, depth);
    hang_in_place(t, kin__block_place(root & ~KIN__DIRECTORY_BIT, sizeof(kin__directory)), a, &s);
    return 0;
}

/* ---- larger ---------------------------------------------------------------------------------- */

/* R8 */
static bool may_split(const kin__table *t, uint64_t root, unsigned depth)
{
    unsigned all = depth_of(root);
    return depth < KIN__DIRECTORY_MOST &&
           (depth < all || UINT64_C(2) << all <= 16 + kin__peek(&t->count) / 16);
}

/* R5. At the end of the chain. */
static int append(kin__table *t, kin__ref first, uint64_t hash, kin__ref entry)
{
    kin__segment *last = kin__segment_at(first);
    for (kin__segment *s = last; s != NULL; s = kin__segment_at(kin__peek(&s->next))) {
        last = s;
    }
    kin__segment *more = kin__segment_new((unsigned)kin__peek(&last->depth), KIN__SEGMENT_LEAST);
    if (more == NULL) {
        return kin__failure();
    }
    (void)fill_one(more, hash, entry);
    kin__change_new(&t->change, kin__block_ref(more));
    kin__change_write(&t->change, &last->next, kin__block_ref(more));
    return 0;
}

typedef struct plan {
    const kin__way *way;
    range range;
    unsigned depth, log; /* of the new ones */
    uint64_t hash;       /* of an entry that comes with it, unless that is 0 */
    kin__ref entry, but;
} plan;

static bool build(aside *a, const plan *p, const kin__ref *old, unsigned n)
{
    unsigned parts = 1u << p->range.parts_log;
    for (unsigned i = 0; i < parts; i++) {
        if (make(a, p->depth, p->log) == NULL) {
            return false;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (!pour(a, parts, old[i], p->but)) {
            return false;
        }
    }
    return p->entry == 0 || fill(a, part_of(a, parts, p->hash), p->hash, p->entry);
}

/* 1; 0: it would take too many segments; KIN_ENOMEM. */
static int make_anew(kin__table *t, const plan *p, const kin__ref *old, unsigned n)
{
    aside a = { .change = &t->change };
    bool built = build(&a, p, old, n);
    int rv = built ? hang(t, p->way->root, &a, &p->range) : a.crowded ? 0 : kin__failure();
    if (!built || rv < 0) {
        forget(&a);
        return rv;
    }
    note(&a);
    return 1;
}

static void bury(kin__table *t, const kin__ref *old, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        kin__change_dead(&t->change, old[i]);
    }
}

int kin__split(kin__table *t, const kin__way *way, uint64_t hash, kin__ref entry)
{
    kin__ref old[ASIDE_MOST];
    kin__segment *s = kin__segment_at(way->ref);
    unsigned depth = (unsigned)kin__peek(&s->depth);
    unsigned log = (unsigned)kin__peek(&s->log);
    unsigned n = list_chain(way->ref, old, ASIDE_MOST);
    if (depth > depth_of(way->root)) {
        return kin__fail(KIN_ECORRUPT, "a segment of a shared dict is scribbled over");
    }
    bool larger = log < KIN__SEGMENT_MOST;
    if (n > ASIDE_MOST || (!larger && !may_split(t, way->root, depth))) {
        return append(t, way->ref, hash, entry);
    }
    plan p = { .way = way,
               .range = { .hash = hash, .base = depth, .parts_log = !larger },
               .depth = depth + !larger,
               .log = log + larger,
               .hash = hash,
               .entry = entry };
    int rv = make_anew(t, &p, old, 1);
    if (rv == 0) {
        return append(t, way->ref, hash, entry);
    }
    bury(t, old, rv > 0 ? n : 0);
    return rv > 0 ? 0 : rv;
}

/* ---- smaller --------------------------------------------------------------------------------- */

static uint64_t slots_of(const kin__segment *s)
{
    return (KIN__BUCKET_SLOTS * UINT64_C(1)) << kin__peek(&s->log);
}

static bool is_sparse(const kin__segment *s)
{
    return kin__peek(&s->next) == 0 && kin__peek(&s->used) * 8 <= slots_of(s);
}

/* The other half of what was one before: it may be so sparse, too. */
static bool find_twin(const kin__table *t, const kin__segment *s, uint64_t hash, kin__ref *ret)
{
    kin__way way;
    uint64_t depth = kin__peek(&s->depth);
    kin__segment *twin = kin__index_way(t, hash ^ UINT64_C(1) << (64 - depth), &way)
                             ? kin__segment_at(way.ref)
                             : NULL;
    *ret = way.ref;
    return twin != NULL && twin != s && kin__peek(&twin->depth) == depth && is_sparse(twin);
}

/* Makes one segment of those listed, without the entry that is taken out. */
static bool condense(kin__table *t, const plan *p, const kin__ref *old, unsigned n)
{
    if (make_anew(t, p, old, n) != 1) {
        return false;
    }
    bury(t, old, n);
    return true;
}

/* Of two, as large as each was. */
static bool merge(kin__table *t, const kin__spot *spot, const kin__segment *s)
{
    unsigned depth = (unsigned)kin__peek(&s->depth);
    uint64_t hash = kin__peek(&spot->entry->hash);
    kin__ref old[2] = { spot->way.ref };
    const plan p = { .way = &spot->way,
                     .range = { .hash = hash, .base = depth - 1 },
                     .depth = depth - 1,
                     .log = (unsigned)kin__peek(&s->log),
                     .but = spot->ref };
    return find_twin(t, s, hash, &old[1]) && condense(t, &p, old, 2);
}

/* Of the only one, a quarter as large. */
static bool reduce(kin__table *t, const kin__spot *spot, const kin__segment *s)
{
    unsigned log = (unsigned)kin__peek(&s->log);
    const plan p = { .way = &spot->way,
                     .log = log > KIN__SEGMENT_LEAST + 1 ? log - 2 : KIN__SEGMENT_LEAST,
                     .but = spot->ref };
    return log > KIN__SEGMENT_LEAST && condense(t, &p, &spot->way.ref, 1);
}

bool kin__shrink(kin__table *t, const kin__spot *spot)
{
    const kin__segment *s = kin__segment_at(spot->way.ref);
    if (s == NULL || !is_sparse(s) || kin__peek(&s->depth) > depth_of(spot->way.root)) {
        return false;
    }
    return kin__peek(&s->depth) > 0 ? merge(t, spot, s) : reduce(t, spot, s);
}
