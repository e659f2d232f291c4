/* bundle.c - a few bundles that were freed are kept for the next pickle.
 *
 * Whoever reads one large message after the other would have malloc give the memory back to the
 * kernel each time, and the kernel clear it again: that is half of the time that it takes. So up to
 * 4 MiB stay here, for all threads. Each place holds one or none, and changes hands by an exchange.
 * Where a sanitizer watches memory nothing is kept. */
#include "node.h"

enum { PLACES = 64 };

static _Atomic(bundle *) places[PLACES];
static _Atomic int kept; /* about as many */

bundle *kin__bundle_take(void)
{
    for (int i = 0; i < PLACES && atomic_load_explicit(&kept, memory_order_relaxed) > 0; i++) {
        /* acquire: what its last user did with it is done; pairs with the release below */
        bundle *b = atomic_exchange_explicit(&places[i], NULL, memory_order_acquire);
        if (b != NULL) {
            atomic_fetch_sub_explicit(&kept, 1, memory_order_relaxed);
            return b;
        }
    }
    return kin__os_malloc(BUNDLE_KEPT);
}

bool kin__bundle_keep(bundle *b)
{
    bool full = atomic_load_explicit(&kept, memory_order_relaxed) >= PLACES;
    for (int i = 0; i < PLACES && !full && !WATCHED; i++) {
        bundle *none = NULL;
        if (atomic_compare_exchange_strong_explicit(&places[i], &none, b, memory_order_release,
                                                    memory_order_relaxed)) {
            atomic_fetch_add_explicit(&kept, 1, memory_order_relaxed);
            return true;
        }
    }
    return false;
}
