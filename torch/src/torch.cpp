// Each function calls one of PyTorch's and returns 0, or writes what went wrong into `error` and returns 1.
// Tensors that come in are borrowed; those that go out are new.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstring>
#include <dlfcn.h>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>

namespace {

using Tensors = at::Tensor **;

template <typename Work>
int guarded(char *error, size_t room, Work work) {
    try {
        at::NoGradGuard no_grad;
        work();
        return 0;
    } catch (const std::exception &exception) {
        std::strncpy(error, exception.what(), room - 1);
        error[room - 1] = 0;
        return 1;
    }
}

void give(Tensors out, size_t at, at::Tensor tensor) {
    out[at] = tensor.defined() ? new at::Tensor(std::move(tensor)) : nullptr;
}

std::vector<at::Tensor> list(Tensors tensors, size_t count) {
    std::vector<at::Tensor> all;
    all.reserve(count);
    for (size_t index = 0; index < count; ++index) all.push_back(*tensors[index]);
    return all;
}

// What of CUDA's driver and of its compiler for programs' own kernels is used here. Neither's headers need be there.
struct Cuda {
    int (*create)(void **, const char *, const char *, int, const char *const *, const char *const *);
    int (*compile)(void *, int, const char *const *);
    int (*size)(void *, size_t *);
    int (*code)(void *, char *);
    int (*retain)(void **, int);
    int (*current)(void **);
    int (*enter)(void *);
    int (*load)(void **, const void *);
    int (*function)(void **, void *, const char *);
    int (*launch)(
        void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);

    template <typename F>
    static void find(F &into, void *library, const char *name) {
        into = library ? reinterpret_cast<F>(dlsym(library, name)) : nullptr;
        if (!into) throw std::runtime_error(std::string("CUDA has no ") + name);
    }

    Cuda() {
        void *driver = dlopen("libcuda.so.1", RTLD_NOW);
        void *compiler = nullptr;
        for (const char *name : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"})
            if (!compiler) compiler = dlopen(name, RTLD_NOW);
        find(create, compiler, "nvrtcCreateProgram");
        find(compile, compiler, "nvrtcCompileProgram");
        find(size, compiler, "nvrtcGetPTXSize");
        find(code, compiler, "nvrtcGetPTX");
        find(retain, driver, "cuDevicePrimaryCtxRetain");
        find(current, driver, "cuCtxGetCurrent");
        find(enter, driver, "cuCtxSetCurrent");
        find(load, driver, "cuModuleLoadData");
        find(function, driver, "cuModuleGetFunction");
        find(launch, driver, "cuLaunchKernel");
    }
};

void succeeded(int code, const char *what) {
    if (code != 0) throw std::runtime_error(std::string(what) + " failed with code " + std::to_string(code));
}

// The kernels of `turn.cu` for f32 and for bfloat16, compiled at the first call, for the first card.
struct Turn {
    Cuda cuda;
    void *single, *half;

    explicit Turn(const char *source) {
        void *program = nullptr, *module = nullptr;
        enter();
        succeeded(cuda.create(&program, source, "turn.cu", 0, nullptr, nullptr), "reading turn.cu");
        const char *options[] = {"--gpu-architecture=compute_80"};
        succeeded(cuda.compile(program, 1, options), "compiling turn.cu");
        size_t size = 0;
        succeeded(cuda.size(program, &size), "compiling turn.cu");
        std::string code(size, 0);
        succeeded(cuda.code(program, code.data()), "compiling turn.cu");
        succeeded(cuda.load(&module, code.data()), "loading turn.cu");
        succeeded(cuda.function(&single, module, "turn_float"), "finding turn_float");
        succeeded(cuda.function(&half, module, "turn_bfloat16"), "finding turn_bfloat16");
    }

    // Makes PyTorch's context this thread's, if it has none yet.
    void enter() {
        void *context = nullptr;
        succeeded(cuda.current(&context), "asking for CUDA's context");
        if (context) return;
        succeeded(cuda.retain(&context, 0), "taking CUDA's context");
        succeeded(cuda.enter(context), "entering CUDA's context");
    }
};

}  // namespace

extern "C" {

// in: contiguous x [batch, tokens, heads * head] on the first card, and a contiguous f32 table [tokens, rotary].
int torch_ops_turn(
    Tensors in, Tensors out, int64_t heads, bool back, const char *source, char *error, size_t room) {
    return guarded(error, room, [&] {
        static Turn turn(source);
        turn.enter();
        const at::Tensor &x = *in[0], &table = *in[1];
        const bool half = x.scalar_type() == at::kBFloat16;
        if (!half && x.scalar_type() != at::kFloat) throw std::runtime_error("turn: neither f32 nor bfloat16");
        if (!x.is_contiguous() || !table.is_contiguous() || table.scalar_type() != at::kFloat)
            throw std::runtime_error("turn: not contiguous, or a table that is not f32");
        at::Tensor y = at::empty_like(x);
        const void *from = x.const_data_ptr(), *angles = table.const_data_ptr();
        void *to = y.mutable_data_ptr();
        unsigned pairs = x.numel() / 2, tokens = x.size(1), each = heads, head = x.size(2) / heads;
        unsigned rotary = table.size(1);
        float sign = back ? -1.0f : 1.0f;
        void *arguments[] = {&from, &angles, &to, &pairs, &tokens, &each, &head, &rotary, &sign};
        const unsigned threads = 256, blocks = std::min(pairs / threads + 1, 132u * 32u);
        // On stream 0, PyTorch's own as long as nobody chooses another, and nobody here does.
        if (pairs > 0)
            succeeded(
                turn.cuda.launch(half ? turn.half : turn.single, blocks, 1, 1, threads, 1, 1, 0, nullptr, arguments, nullptr),
                "rotating");
        give(out, 0, y);
    });
}

// Loads the part of PyTorch that knows cards, which no symbol of ours asks for.
int torch_ops_load(const char *name, char *error, size_t room) {
    if (dlopen(name, RTLD_NOW | RTLD_GLOBAL) != nullptr) return 0;
    const char *why = dlerror();
    std::strncpy(error, why ? why : "unknown", room - 1);
    error[room - 1] = 0;
    return 1;
}

int torch_ops_layer_norm_backward(Tensors in, Tensors out, char *error, size_t room) {
    return guarded(error, room, [&] {
        const at::Tensor &x = *in[1];
        auto [dx, dw, db] = at::native_layer_norm_backward(
            *in[0], x, {x.size(-1)}, *in[2], *in[3], *in[4], *in[5], {true, true, true});
        give(out, 0, dx);
        give(out, 1, dw);
        give(out, 2, db);
    });
}

int torch_ops_group_norm_backward(Tensors in, Tensors out, int64_t groups, char *error, size_t room) {
    return guarded(error, room, [&] {
        const at::Tensor &x = *in[1];
        const int64_t batch = x.size(0), channels = x.size(1);
        auto [dx, dw, db] = at::native_group_norm_backward(
            *in[0], x, *in[2], *in[3], *in[4], batch, channels, x.numel() / (batch * channels), groups,
            {true, true, true});
        give(out, 0, dx);
        give(out, 1, dw);
        give(out, 2, db);
    });
}

int torch_ops_convolution_backward(
    Tensors in, Tensors out, const int64_t *stride, const int64_t *padding, bool wants_x, bool biased, char *error,
    size_t room) {
    return guarded(error, room, [&] {
        const at::Tensor &weight = *in[2];
        const std::vector<int64_t> bias_sizes{weight.size(0)};
        auto [dx, dw, db] = at::convolution_backward(
            *in[0], *in[1], weight, at::IntArrayRef(bias_sizes), at::IntArrayRef(stride, 2),
            at::IntArrayRef(padding, 2), {1, 1}, false, {0, 0}, 1, {wants_x, true, biased});
        give(out, 0, dx);
        give(out, 1, dw);
        give(out, 2, db);
    });
}

// in: dy, q, k, v, bias or null, out, logsumexp, seed, offset.
int torch_ops_attention_backward(Tensors in, Tensors out, double scale, char *error, size_t room) {
    return guarded(error, room, [&] {
        const at::Tensor bias = in[4] ? *in[4] : at::Tensor();
        auto [dq, dk, dv, db] = at::_scaled_dot_product_efficient_attention_backward(
            *in[0], *in[1], *in[2], *in[3], bias, *in[5], *in[6], *in[7], *in[8], 0.0, {true, true, true, false}, false,
            scale);
        give(out, 0, dq);
        give(out, 1, dk);
        give(out, 2, dv);
    });
}

// One AdamW step of all parameters, in place; `steps` are scalars on the same device, counted up before.
int torch_ops_adamw(
    Tensors parameters, Tensors gradients, Tensors first, Tensors second, Tensors steps, size_t count, double rate,
    double beta_1, double beta_2, double decay, double epsilon, char *error, size_t room) {
    return guarded(error, room, [&] {
        auto p = list(parameters, count), g = list(gradients, count);
        auto m = list(first, count), v = list(second, count), t = list(steps, count);
        at::_foreach_add_(t, 1);
        std::vector<at::Tensor> none;
        at::_fused_adamw_(p, g, m, v, none, t, rate, beta_1, beta_2, decay, epsilon, false, false, {}, {});
    });
}

// Each tensor, scaled down to a norm of `most` where its own is above.
int torch_ops_clip(Tensors tensors, Tensors out, size_t count, double most, char *error, size_t room) {
    return guarded(error, room, [&] {
        auto all = list(tensors, count);
        auto norms = at::_foreach_norm(all, 2);
        at::_foreach_add_(norms, 1e-6);
        at::_foreach_reciprocal_(norms);
        at::_foreach_mul_(norms, most);
        at::_foreach_clamp_max_(norms, 1.0);
        auto scaled = at::_foreach_mul(all, norms);
        for (size_t index = 0; index < count; ++index) give(out, index, scaled[index]);
    });
}

}
