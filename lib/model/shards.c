/* model: one bucket of the id -> slot map: linear probing, at most seven eighths full, erased by shifting back. */
#include "model/shards.h"

struct sq_shard {
    _Atomic int32_t references;
    int32_t count;
    size_t capacity; /* at most 2^32 */
    int32_t *slots;  /* [capacity], -1 = free; behind ids in the same block */
    int64_t ids[];
};

static size_t capacity_for(int64_t expected)
{
    return 8 + ((size_t)expected * 8 + 6) / 7;
}

sq_shard *sq_shard_create(const sq_memory *memory, int64_t expected)
{
    size_t capacity = capacity_for(expected);
    sq_shard *shard = sq_alloc(memory, 1, sizeof *shard + capacity * (sizeof(int64_t) + sizeof(int32_t)));
    if (!shard) return NULL;
    atomic_init(&shard->references, 1);
    shard->count = 0;
    shard->capacity = capacity;
    shard->slots = (int32_t *)(void *)(shard->ids + capacity);
    for (size_t i = 0; i < capacity; i++) {
        shard->ids[i] = 0;
        shard->slots[i] = -1;
    }
    return shard;
}

/* Where the probes of a hash begin: its low half as a share of the cells. */
static size_t home_of(const sq_shard *shard, uint64_t hash) { return (size_t)(((hash & 0xffffffffu) * shard->capacity) >> 32); }

static size_t behind(const sq_shard *shard, size_t cell) { return cell + 1 < shard->capacity ? cell + 1 : 0; }

/* Steps from one cell on to another. */
static size_t steps(const sq_shard *shard, size_t from, size_t to) { return to >= from ? to - from : to + shard->capacity - from; }

/* Where id is, or the free cell where its probe ends. */
static size_t cell_of(const sq_shard *shard, uint64_t hash, int64_t id)
{
    size_t cell = home_of(shard, hash);
    while (shard->slots[cell] >= 0 && shard->ids[cell] != id) cell = behind(shard, cell);
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
    for (size_t i = 0; i < like->capacity; i++) {
        if (like->slots[i] < 0) continue;
        int64_t id = like->ids[i];
        store(copy, cell_of(copy, sq_hash_id(memory, id), id), id, like->slots[i]);
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
    __builtin_prefetch(&shard->ids[home_of(shard, hash)]);
    __builtin_prefetch(&shard->slots[home_of(shard, hash)]);
}

static int32_t make_room(const sq_memory *memory, sq_shard **shard)
{
    if ((size_t)(*shard)->count + 1 <= (*shard)->capacity / 8 * 7) return 1;
    sq_shard *wider = sq_shard_copy(memory, *shard, (*shard)->count);
    if (!wider) return 0;
    sq_shard_release(memory, *shard);
    *shard = wider;
    return 1;
}

int32_t sq_shard_insert(const sq_memory *memory, sq_shard **shard, int64_t id, int32_t slot, int32_t *found)
{
    uint64_t hash = sq_hash_id(memory, id);
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

void sq_shard_erase(const sq_memory *memory, sq_shard *shard, int64_t id)
{
    size_t hole = cell_of(shard, sq_hash_id(memory, id), id);
    if (shard->slots[hole] < 0) return;
    for (size_t next = behind(shard, hole); shard->slots[next] >= 0; next = behind(shard, next)) {
        size_t home = home_of(shard, sq_hash_id(memory, shard->ids[next]));
        /* An entry whose home lies behind the hole would no longer be found from there. */
        if (steps(shard, home, next) < steps(shard, hole, next)) continue;
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
    while (*cell < shard->capacity && shard->slots[*cell] < 0) ++*cell;
    if (*cell >= shard->capacity) return 0;
    *id = shard->ids[*cell];
    *slot = shard->slots[*cell];
    ++*cell;
    return 1;
}
