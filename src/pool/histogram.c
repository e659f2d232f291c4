/* histogram.c - how often which time was taken, to within a sixteenth.
 *
 * Idea. Eight buckets for each power of two: a time's three bits after the first say which. So all
 * times from a nanosecond to three days have a bucket whose middle is off by a sixteenth at most.
 *
 *     0 1 2 ... 7 | 8 9 ... 15 | 16 18 ... 30 | 32 36 ... 60 | ...
 *
 * Rules.
 *   R1  One thread adds; anybody adds up, and may see a sample in the counts that `most` has not
 *       yet.
 *
 * Death. Killed between the two stores, he leaves one sample that `most` does not know of.
 */
#include "seen.h"

#define STEPS 8u /* a power of two */
#define BITS 3u  /* which one */

static unsigned bucket_of(uint64_t value)
{
    const uint64_t last = ((uint64_t)1 << (KIN__BUCKETS / STEPS + BITS - 1)) - 1;
    value = value < last ? value : last;
    if (value < STEPS) {
        return (unsigned)value;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - BITS;
    return shift * STEPS + (unsigned)(value >> shift);
}

static uint64_t middle_of(unsigned bucket)
{
    if (bucket < STEPS) {
        return bucket;
    }
    unsigned shift = bucket / STEPS - 1;
    return ((uint64_t)(STEPS + bucket % STEPS) << shift) + ((uint64_t)1 << shift >> 1);
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n,
                          memory_order_relaxed); /* R1: no partner, nobody else writes */
}

static void keep_most(_Atomic uint64_t *most, uint64_t value)
{
    if (value > atomic_load_explicit(most, memory_order_relaxed)) {
        atomic_store_explicit(most, value, memory_order_relaxed);
    }
}

void kin__histogram_add(kin__histogram *h, uint64_t value)
{
    add(&h->counts[bucket_of(value)], 1);
    keep_most(&h->most, value);
}

void kin__histogram_join(kin__histogram *into, const kin__histogram *from)
{
    for (unsigned i = 0; i < KIN__BUCKETS; i++) {
        add(&into->counts[i], atomic_load_explicit(&from->counts[i], memory_order_relaxed));
    }
    keep_most(&into->most, atomic_load_explicit(&from->most, memory_order_relaxed));
}

static uint64_t count(const kin__histogram *h)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < KIN__BUCKETS; i++) {
        all += atomic_load_explicit(&h->counts[i], memory_order_relaxed);
    }
    return all;
}

uint64_t kin__histogram_percentile(const kin__histogram *h, unsigned percent)
{
    uint64_t most = atomic_load_explicit(&h->most, memory_order_relaxed);
    uint64_t all = count(h);
    uint64_t rank = all / 100 * percent + (all % 100 * percent + 99) / 100; /* rounded up */
    uint64_t passed = 0;
    for (unsigned i = 0; i < KIN__BUCKETS && rank > 0; i++) {
        passed += atomic_load_explicit(&h->counts[i], memory_order_relaxed);
        if (passed >= rank) {
            return middle_of(i) < most ? middle_of(i) : most;
        }
    }
    return 0;
}
