/* Structs in, structs out, on all cores: no objects are made. Private arrays are copied to where
 * the workers see them, and back; those of kin_alloc are used in place. */
#include <kin.h>
#include <stdio.h>

enum { COUNT = 200000 };

struct loan {
    double sum, rate;
    int years;
};

struct plan {
    double monthly, interest;
};

static int make_plan(const void *in, void *out, void *ctx)
{
    (void)ctx;
    const struct loan *loan = in;
    struct plan *plan = out;
    if (loan->years <= 0) {
        return KIN_ERANGE; /* the code of the whole map then */
    }
    double rate = loan->rate / 12;
    int months = loan->years * 12;
    double grown = 1;
    for (int i = 0; i < months; i++) {
        grown *= 1 + rate;
    }
    plan->monthly = loan->sum * rate / (1 - 1 / grown);
    plan->interest = plan->monthly * months - loan->sum;
    return 0;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, NULL));

    struct loan *loans = kin_alloc(COUNT * sizeof *loans);
    static struct plan plans[COUNT];
    for (int i = 0; i < COUNT; i++) {
        loans[i] = (struct loan){ 1000.0 * (1 + i % 500), 0.01 + i % 7 * 0.01, 1 + i % 30 };
    }
    kin_map_array arrays = {
        .n = COUNT, .in = loans, .in_size = sizeof *loans, .out = plans, .out_size = sizeof *plans
    };
    KIN_CHECK(kin_pool_map_array(pool, make_plan, &arrays, NULL));
    printf("%.0f over %d years: %.2f a month, %.2f of interest\n", loans[499].sum, loans[499].years,
           plans[499].monthly, plans[499].interest);

    loans[1234].years = 0;
    int rv = kin_pool_map_array(pool, make_plan, &arrays, NULL);
    printf("%s: %s\n", kin_errname(rv), kin_errmsg());
    kin_free(loans);
    return 0;
}
