// Rotary embedding of `x` [rows, heads, head], one thread a pair of channels or two that do not turn. `table` is
// [tokens, rotary]: cosines, then sines; a row's token is its number modulo `tokens`. `sign` is 1, or -1 for the way back.
//
// Compiled on the card's machine, without headers: bfloat16 is the upper half of an f32, rounded to nearest even.

__device__ __forceinline__ float wide(float x) { return x; }
__device__ __forceinline__ float wide(unsigned short x) { return __uint_as_float(((unsigned int)x) << 16); }
__device__ __forceinline__ void put(float *to, float x) { *to = x; }
__device__ __forceinline__ void put(unsigned short *to, float x) {
    const unsigned int bits = __float_as_uint(x);
    *to = (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

template <typename T>
__device__ __forceinline__ void turn(
    const T *x, const float *table, T *y, unsigned int pairs, unsigned int tokens, unsigned int heads,
    unsigned int head, unsigned int rotary, float sign) {
    const unsigned int half = rotary / 2, each = head / 2;
    for (unsigned int at = blockIdx.x * blockDim.x + threadIdx.x; at < pairs; at += gridDim.x * blockDim.x) {
        const unsigned int pair = at % each, unit = at / each;
        const T *from = x + (unsigned long long)unit * head;
        T *to = y + (unsigned long long)unit * head;
        if (pair < half) {
            const float *angles = table + (unit / heads) % tokens * rotary;
            const float c = angles[pair], s = sign * angles[half + pair];
            const float left = wide(from[pair]), right = wide(from[pair + half]);
            put(to + pair, left * c - right * s);
            put(to + pair + half, right * c + left * s);
        } else {
            const unsigned int first = rotary + 2 * (pair - half);
            to[first] = from[first];
            to[first + 1] = from[first + 1];
        }
    }
}

extern "C" __global__ void turn_float(
    const float *x, const float *table, float *y, unsigned int pairs, unsigned int tokens, unsigned int heads,
    unsigned int head, unsigned int rotary, float sign) {
    turn<float>(x, table, y, pairs, tokens, heads, head, rotary, sign);
}

extern "C" __global__ void turn_bfloat16(
    const unsigned short *x, const float *table, unsigned short *y, unsigned int pairs, unsigned int tokens,
    unsigned int heads, unsigned int head, unsigned int rotary, float sign) {
    turn<unsigned short>(x, table, y, pairs, tokens, heads, head, rotary, sign);
}
