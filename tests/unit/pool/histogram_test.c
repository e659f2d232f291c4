#include "harness.h"
#include "pool/seen.h"

static kin__histogram *new_histogram(void)
{
    return test_shared(sizeof(kin__histogram));
}

TEST(an_empty_histogram_says_nothing)
{
    kin__histogram *h = new_histogram();
    CHECK_EQ(kin__histogram_percentile(h, 50), 0);
    CHECK_EQ(kin__histogram_percentile(h, 100), 0);
}

/* A sixteenth, and what a division cuts off. */
static void check_near(uint64_t found, uint64_t real)
{
    uint64_t off = found > real ? found - real : real - found;
    CHECK_LE(off, real / 16 + 1);
}

TEST(any_value_is_found_again_to_within_a_sixteenth)
{
    for (unsigned bits = 0; bits < 48; bits++) {
        for (int i = 0; i < 20; i++) {
            kin__histogram *h = new_histogram();
            uint64_t first = (uint64_t)1 << bits;
            uint64_t value = i == 0 ? first : first + test_random() % first;
            kin__histogram_add(h, value);
            kin__histogram_add(h, UINT64_MAX); /* so that it is not the greatest */
            check_near(kin__histogram_percentile(h, 50), value);
            CHECK(h->most == UINT64_MAX);
        }
    }
}

TEST(percentiles_are_those_of_a_sorted_list)
{
    kin__histogram *h = new_histogram();
    for (uint64_t i = 1; i <= 1000; i++) {
        kin__histogram_add(h, i * 617 % 1000 * 1000 + 1000); /* 1000, 2000 ... 1000000 */
    }
    check_near(kin__histogram_percentile(h, 50), 500000);
    check_near(kin__histogram_percentile(h, 90), 900000);
    check_near(kin__histogram_percentile(h, 99), 990000);
    check_near(kin__histogram_percentile(h, 1), 10000);
    CHECK_EQ(h->most, 1000000);
}

TEST(no_percentile_is_above_the_greatest)
{
    kin__histogram *h = new_histogram();
    kin__histogram_add(h, 1024); /* the first of a bucket, whose middle lies above */
    CHECK_EQ(kin__histogram_percentile(h, 50), 1024);
    CHECK_EQ(kin__histogram_percentile(h, 99), 1024);
}

TEST(what_is_joined_counts_as_if_it_had_been_added)
{
    kin__histogram *one = new_histogram();
    kin__histogram *two = new_histogram();
    kin__histogram *both = new_histogram();
    kin__histogram *sum = new_histogram();
    for (int i = 0; i < 2000; i++) {
        uint64_t value = test_random() % 1000000;
        kin__histogram_add(i % 3 == 0 ? one : two, value);
        kin__histogram_add(both, value);
    }
    kin__histogram_join(sum, one);
    kin__histogram_join(sum, two);
    CHECK_MEM(sum, both, sizeof *sum);
}
