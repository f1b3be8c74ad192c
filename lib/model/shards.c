/* model: one bucket of the id -> slot map: linear probing, at most three quarters full, erased by shifting back. */
#include "model/shards.h"

struct sq_shard {
    _Atomic int32_t references;
    int32_t count;
    size_t mask;
    int32_t *slots; /* [mask + 1], -1 = free; behind ids in the same block */
    int64_t ids[];
};

static size_t capacity_for(int64_t expected)
{
    size_t capacity = 8;
    while (capacity / 4 * 3 < (size_t)expected) capacity *= 2;
    return capacity;
}

sq_shard *sq_shard_create(const sq_memory *memory, int64_t expected)
{
    size_t capacity = capacity_for(expected);
    sq_shard *shard = sq_alloc(memory, 1, sizeof *shard + capacity * (sizeof(int64_t) + sizeof(int32_t)));
    if (!shard) return NULL;
    atomic_init(&shard->references, 1);
    shard->count = 0;
    shard->mask = capacity - 1;
    shard->slots = (int32_t *)(void *)(shard->ids + capacity);
    for (size_t i = 0; i < capacity; i++) {
        shard->ids[i] = 0;
        shard->slots[i] = -1;
    }
    return shard;
}

/* Where id is, or the free cell where its probe ends. */
static size_t cell_of(const sq_shard *shard, uint64_t hash, int64_t id)
{
    size_t cell = (size_t)hash & shard->mask;
    while (shard->slots[cell] >= 0 && shard->ids[cell] != id) cell = (cell + 1) & shard->mask;
    return cell;
}

static void store(sq_shard *shard, size_t cell, int64_t id, int32_t slot)
{
    shard->ids[cell] = id;
    shard->slots[cell] = slot;
    shard->count++;
}

sq_shard *sq_shard_copy(const sq_memory *memory, const sq_shard *like, int64_t extra)
{
    sq_shard *copy = sq_shard_create(memory, like->count + extra);
    if (!copy) return NULL;
    for (size_t i = 0; i <= like->mask; i++) {
        if (like->slots[i] < 0) continue;
        int64_t id = like->ids[i];
        store(copy, cell_of(copy, sq_hash_id(id), id), id, like->slots[i]);
    }
    return copy;
}

sq_shard *sq_shard_retain(sq_shard *shard)
{
    atomic_fetch_add_explicit(&shard->references, 1, memory_order_relaxed);
    return shard;
}

void sq_shard_release(const sq_memory *memory, sq_shard *shard)
{
    if (shard && atomic_fetch_sub_explicit(&shard->references, 1, memory_order_acq_rel) == 1) sq_free(memory, shard);
}

int32_t sq_shard_shared(const sq_shard *shard)
{
    return atomic_load_explicit(&shard->references, memory_order_acquire) > 1;
}

int32_t sq_shard_find(const sq_shard *shard, uint64_t hash, int64_t id)
{
    return shard->slots[cell_of(shard, hash, id)];
}

void sq_shard_prefetch(const sq_shard *shard, uint64_t hash)
{
    __builtin_prefetch(&shard->ids[(size_t)hash & shard->mask]);
    __builtin_prefetch(&shard->slots[(size_t)hash & shard->mask]);
}

static int32_t make_room(const sq_memory *memory, sq_shard **shard)
{
    size_t capacity = (*shard)->mask + 1;
    if ((size_t)(*shard)->count + 1 <= capacity / 4 * 3) return 1;
    sq_shard *wider = sq_shard_copy(memory, *shard, (*shard)->count);
    if (!wider) return 0;
    sq_shard_release(memory, *shard);
    *shard = wider;
    return 1;
}

int32_t sq_shard_insert(const sq_memory *memory, sq_shard **shard, int64_t id, int32_t slot, int32_t *found)
{
    uint64_t hash = sq_hash_id(id);
    size_t cell = cell_of(*shard, hash, id);
    *found = (*shard)->slots[cell];
    if (*found >= 0) return 1;
    sq_shard *before = *shard;
    if (!make_room(memory, shard)) return 0;
    if (*shard != before) cell = cell_of(*shard, hash, id);
    store(*shard, cell, id, slot);
    *found = slot;
    return 1;
}

void sq_shard_erase(sq_shard *shard, int64_t id)
{
    size_t hole = cell_of(shard, sq_hash_id(id), id), mask = shard->mask;
    if (shard->slots[hole] < 0) return;
    for (size_t next = (hole + 1) & mask; shard->slots[next] >= 0; next = (next + 1) & mask) {
        size_t home = (size_t)sq_hash_id(shard->ids[next]) & mask;
        /* An entry whose home lies behind the hole would no longer be found from there. */
        if (((next - home) & mask) < ((next - hole) & mask)) continue;
        shard->ids[hole] = shard->ids[next];
        shard->slots[hole] = shard->slots[next];
        hole = next;
    }
    shard->ids[hole] = 0;
    shard->slots[hole] = -1;
    shard->count--;
}

int32_t sq_shard_count(const sq_shard *shard)
{
    return shard->count;
}

int32_t sq_shard_next(const sq_shard *shard, size_t *cell, int64_t *id, int32_t *slot)
{
    while (*cell <= shard->mask && shard->slots[*cell] < 0) ++*cell;
    if (*cell > shard->mask) return 0;
    *id = shard->ids[*cell];
    *slot = shard->slots[*cell];
    ++*cell;
    return 1;
}
