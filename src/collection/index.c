/* index.c - entries by their hash: extendible hashing, of which readers take no lock.
 *
 * Idea. The highest bits of a hash choose a segment, by a directory of refs; the lowest ones a
 * bucket in it, and eight in between are the entry's tag there. A segment that is full is made anew
 * aside, larger or as two, and hung in by a store in the directory. So growing touches one segment,
 * and readers go on in the old one until they find that it is not that any more.
 *
 *   directory, depth 2      segment                   bucket: one cache line
 *   +----+----+----+----+   +-------+----+----+---+   +---------------+------+-- --+------+
 *   | 00 | 01 | 10 | 11 |-->| depth | b0 | b1 |...|   | 7 tags | full | ref0 | ... | ref6 |
 *   +----+----+----+----+   +-------+----+----+---+   +---------------+------+-- --+------+
 *
 * A small table has no directory: its word is the ref of the only segment, or 0.
 *
 * Rules.
 *   R1  In a segment that hangs in the directory nothing moves: entries are put in or taken out.
 *       To be put in: its ref, then its tag; to be taken out: its tag, then the ref.
 *   R2  What has no room in its bucket is in one of the next, and before that is seen, all buckets
 *       that were passed say so (KIN__BUCKET_FULL), for good.
 *   R3  So who has looked at the buckets and did not find the key, while the directory's word and
 *       its slot were the same before and after, knows of a moment at which it was not there: if it
 *       had been there all the time, it had been in one place.
 *   R4  An entry that is not good any more is no hit: it was taken out since the reader came. It is
 *       good as long as its ref stands in a segment that hangs in the directory, for it is freed
 *       after that, and the same ref never comes again: which is asked of cache lines that the
 *       reader has at hand.
 *   R5  Where splitting does not help (keys of one hash) further segments hang on `next`. They are
 *       never taken out but with the first one.
 *
 * Death. All stores are in a change, which is whole or not at all.
 *
 * Not here. Larger and smaller segments (split.c); whether an entry is the key's (entry.c).
 */
#include "table.h"

#define CHAIN_MOST (1u << 24) /* hops: a ring of segments must not hold anybody for ever */
#define BYTES(b) (UINT64_C(0x0101010101010101) * (b))
#define SEVEN_TOPS (BYTES(0x80) >> 8)

/* ---- the way to a segment -------------------------------------------------------------------- */

/* False: the directory is no directory any more. */
bool kin__index_way(const kin__table *t, uint64_t hash, kin__way *ret)
{
    ret->root = kin__peek(&t->directory);
    ret->slot = (kin__word *)&t->directory;
    ret->ref = ret->root;
    if (!(ret->root & KIN__DIRECTORY_BIT)) {
        return true;
    }
    kin__directory *d = kin__block_place(ret->root & ~KIN__DIRECTORY_BIT, sizeof *d);
    uint64_t depth = d != NULL ? kin__peek(&d->depth) : 0;
    if (depth == 0 || depth > KIN__DIRECTORY_MOST ||
        !kin__in_domain(d, sizeof *d + (sizeof(kin__word) << depth))) {
        return false;
    }
    ret->slot = &d->slots[hash >> (64 - depth)];
    ret->ref = kin__peek(ret->slot);
    return true;
}

/* R3. The slot first: while the directory is the same, so is its block. */
static bool is_still(const kin__table *t, const kin__way *way)
{
    return kin__peek(way->slot) == way->ref && kin__peek(&t->directory) == way->root;
}

bool kin__index_holds(const kin__table *t, const kin__spot *spot)
{
    return kin__peek(&spot->bucket->refs[spot->slot]) == spot->ref && is_still(t, &spot->way);
}

kin__segment *kin__segment_at(kin__ref ref)
{
    kin__segment *s = ref != 0 ? kin__block_place(ref, sizeof *s) : NULL;
    uint64_t log = s != NULL ? kin__peek(&s->log) : 0;
    bool fits = s != NULL && log <= KIN__SEGMENT_MOST &&
                kin__in_domain(s, sizeof *s + (sizeof(kin__bucket) << log));
    return fits ? s : NULL;
}

/* ---- finding --------------------------------------------------------------------------------- */

typedef struct search {
    const kin__key *key;
    uint64_t life;
    kin__spot *spot;
} search;

/* A bit for each tag that is the sought one, and perhaps one too many. */
static uint64_t hits_of(uint64_t tags, uint64_t tag)
{
    uint64_t differ = tags ^ BYTES(tag);
    return (differ - BYTES(1)) & ~differ & SEVEN_TOPS;
}

static int look_at(const search *f, kin__bucket *b, uint64_t tags)
{
    for (uint64_t hits = hits_of(tags, kin__tag_of(f->key->hash)); hits != 0; hits &= hits - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(hits) / 8;
        kin__ref ref = kin__peek(&b->refs[slot]);
        int rv = ref != 0 ? kin__entry_is(f->key, f->life, ref, &f->spot->entry) : 0;
        if (rv != 0) {
            f->spot->ref = ref;
            f->spot->bucket = b;
            f->spot->slot = slot;
            return rv;
        }
    }
    return KIN__MISSING;
}

static int look_in(const search *f, kin__segment *s, unsigned log)
{
    uint64_t mask = (UINT64_C(1) << log) - 1;
    for (uint64_t i = 0; i < KIN__PROBES && i <= mask; i++) {
        kin__bucket *b = &s->buckets[(f->key->hash + i) & mask];
        uint64_t tags = kin__peek(&b->tags);
        int rv = look_at(f, b, tags);
        if (rv != KIN__MISSING) {
            f->spot->segment = s;
            return rv;
        }
        if (!(tags & KIN__BUCKET_FULL)) {
            break;
        }
    }
    return KIN__MISSING;
}

/* A segment to read in, and how large it is: by R6 of split.c, often without a look at its first
 * cache line. */
static kin__segment *segment_to_read(kin__ref ref, bool by_directory, unsigned *ret_log)
{
    size_t largest = sizeof(kin__segment) + (sizeof(kin__bucket) << KIN__SEGMENT_MOST);
    if (by_directory) {
        *ret_log = KIN__SEGMENT_MOST;
        return kin__block_place(ref, largest);
    }
    kin__segment *s = kin__segment_at(ref);
    uint64_t log = s != NULL ? kin__peek(&s->log) : 0;
    *ret_log = log < KIN__SEGMENT_MOST ? (unsigned)log : KIN__SEGMENT_MOST;
    return s != NULL && kin__in_domain(s, sizeof *s + (sizeof(kin__bucket) << *ret_log)) ? s : NULL;
}

int kin__index_find(const kin__table *t, const kin__key *key, kin__spot *ret)
{
    search f = { .key = key, .life = kin__peek(&t->life), .spot = ret };
    if (!kin__index_way(t, key->hash, &ret->way)) {
        return KIN__AGAIN;
    }
    kin__ref ref = ret->way.ref;
    bool by_directory = ret->way.root & KIN__DIRECTORY_BIT;
    for (unsigned hops = 0; ref != 0 && hops < CHAIN_MOST; hops++) {
        unsigned log;
        kin__segment *s = segment_to_read(ref, by_directory && hops == 0, &log);
        if (s == NULL) {
            return KIN__AGAIN;
        }
        int rv = look_in(&f, s, log);
        if (rv != KIN__MISSING) {
            return rv;
        }
        ref = kin__peek(&s->next);
    }
    return ref == 0 && is_still(t, &ret->way) ? KIN__MISSING : KIN__AGAIN;
}

/* ---- changing -------------------------------------------------------------------------------- */

kin__segment *kin__segment_new(unsigned depth, unsigned log)
{
    kin__segment *s = kin__block_new(sizeof *s + (sizeof(kin__bucket) << log), KIN__MESSAGE);
    if (s == NULL) {
        return NULL;
    }
    kin__fill(&s->depth, depth);
    kin__fill(&s->log, log);
    kin__fill(&s->next, 0);
    kin__fill(&s->used, 0);
    for (unsigned i = 0; i < 1u << log; i++) {
        kin__fill(&s->buckets[i].tags, 0); /* a ref is read behind its tag only */
    }
    return s;
}

/* The first bucket with room for that hash; NULL. */
static kin__bucket *bucket_with_room(kin__segment *s, uint64_t hash, unsigned *ret_passed)
{
    unsigned probes = kin__segment_probes(s);
    for (unsigned i = 0; i < probes; i++) {
        kin__bucket *b = kin__segment_bucket(s, hash + i);
        if (kin__bucket_space(kin__peek(&b->tags)) < KIN__BUCKET_SLOTS) {
            *ret_passed = i;
            return b;
        }
    }
    return NULL;
}

static bool put_into(kin__change *c, kin__segment *s, uint64_t hash, kin__ref entry)
{
    unsigned passed;
    kin__bucket *b = bucket_with_room(s, hash, &passed);
    if (b == NULL) {
        return false;
    }
    for (unsigned i = 0; i < passed; i++) { /* R2 */
        kin__word *tags = &kin__segment_bucket(s, hash + i)->tags;
        if (!(kin__peek(tags) & KIN__BUCKET_FULL)) {
            kin__change_write(c, tags, kin__peek(tags) | KIN__BUCKET_FULL);
        }
    }
    uint64_t tags = kin__peek(&b->tags);
    unsigned slot = kin__bucket_space(tags);
    kin__change_write(c, &b->refs[slot], entry); /* R1 */
    kin__change_write(c, &b->tags, tags | kin__tag_of(hash) << slot * 8);
    kin__change_write(c, &s->used, kin__peek(&s->used) + 1);
    return true;
}

static int put_first(kin__table *t, uint64_t hash, kin__ref entry)
{
    kin__segment *s = kin__segment_new(0, KIN__SEGMENT_LEAST);
    if (s == NULL) {
        return kin__failure();
    }
    kin__fill(&kin__segment_bucket(s, hash)->refs[0], entry);
    kin__fill(&kin__segment_bucket(s, hash)->tags, kin__tag_of(hash));
    kin__fill(&s->used, 1);
    kin__change_new(&t->change, kin__block_ref(s));
    kin__change_write(&t->change, &t->directory, kin__block_ref(s));
    return 0;
}

int kin__index_put(kin__table *t, uint64_t hash, kin__ref entry)
{
    kin__way way;
    bool sound = kin__index_way(t, hash, &way);
    if (sound && way.ref == 0) {
        return put_first(t, hash, entry);
    }
    kin__ref ref = sound ? way.ref : 0;
    kin__segment *s = NULL;
    do {
        s = kin__segment_at(ref);
        if (s == NULL) {
            return kin__fail(KIN_ECORRUPT, "the index of a shared dict is scribbled over");
        }
        if (put_into(&t->change, s, hash, entry)) {
            return 0;
        }
        ref = kin__peek(&s->next);
    } while (ref != 0);
    return kin__split(t, &way, hash, entry);
}

void kin__index_remove(kin__table *t, const kin__spot *spot)
{
    kin__change *c = &t->change;
    kin__word *tags = &spot->bucket->tags;
    if (!kin__shrink(t, spot)) {
        kin__change_write(c, tags, kin__peek(tags) & ~(UINT64_C(0xff) << spot->slot * 8)); /* R1 */
        kin__change_write(c, &spot->bucket->refs[spot->slot], 0);
        kin__change_write(c, &spot->segment->used, kin__peek(&spot->segment->used) - 1);
    }
}

/* ---- the end of it --------------------------------------------------------------------------- */

/* The last segments of a chain, as many as there is room for, the last one last. */
#define TAIL 64u

static unsigned tail_of(kin__ref ref, kin__ref tail[TAIL])
{
    unsigned n = 0;
    for (; ref != 0 && n < CHAIN_MOST && kin__block_is_shared(ref); n++) {
        kin__segment *s = kin__segment_at(ref);
        tail[n % TAIL] = ref;
        ref = s != NULL ? kin__peek(&s->next) : 0;
    }
    return n;
}

/* From the last one to the first: who is killed in between leaves what can be found. */
static void drop_chain(kin__ref first)
{
    kin__ref tail[TAIL];
    for (unsigned n = tail_of(first, tail); n > 0; n = tail_of(first, tail)) {
        unsigned least = n > TAIL ? n - TAIL : 0;
        while (n-- > least) {
            (void)kin__block_discard(tail[n % TAIL]);
            KIN__STEP("table.segment");
        }
    }
}

void kin__index_drop(uint64_t root)
{
    kin__ref ref = root & ~KIN__DIRECTORY_BIT;
    if (!(root & KIN__DIRECTORY_BIT)) {
        drop_chain(ref);
        return;
    }
    size_t size;
    kin__directory *d = kin__block_shared(ref, KIN__MESSAGE, &size);
    if (d == NULL) {
        return;
    }
    kin__ref last = 0;
    for (size_t i = 0; i < size / sizeof(kin__word) - 1; i++) {
        kin__ref next = kin__peek(&d->slots[i]);
        if (next != last) {
            drop_chain(next);
        }
        last = next;
    }
    (void)kin__block_discard(ref);
    KIN__STEP("table.directory");
}
