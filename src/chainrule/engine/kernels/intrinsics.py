"""What Numba lacks for kernels that work on addresses: typed loads and stores, bit tricks, calls through pointers."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .target import features

F32, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
#: BLAS's numbers for matrices that lie row by row, as they are, and transposed.
_ROW_MAJOR, _PLAIN, _TRANSPOSED = 101, 111, 112


def _scopes(builder: Any) -> tuple[Any, Any]:
    """Alias scopes that say: what a kernel stores is not read again through another pointer in the same loop.

    It lets LLVM vectorise without run-time overlap checks. In-place work (dst equal to a source, element by element) keeps
    its meaning, because element i is always read before it is written.
    """
    module = builder.module
    domain = module.add_metadata([ir.MetaDataString(module, "chainrule")])
    reads = module.add_metadata([module.add_metadata([ir.MetaDataString(module, "reads"), domain])])
    writes = module.add_metadata([module.add_metadata([ir.MetaDataString(module, "writes"), domain])])
    return reads, writes


def _loader(llvm_type: Any, numba_type: Any, align: int) -> Any:
    @intrinsic
    def load(typingctx: Any, address: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.gep(builder.inttoptr(args[0], llvm_type.as_pointer()), [args[1]])
            value = builder.load(pointer, align=align)
            reads, writes = _scopes(builder)
            value.set_metadata("alias.scope", reads)
            value.set_metadata("noalias", writes)
            return value

        return numba_type(types.int64, types.int64), codegen

    return load


def _storer(llvm_type: Any, numba_type: Any, align: int) -> Any:
    @intrinsic
    def store(typingctx: Any, address: Any, index: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.gep(builder.inttoptr(args[0], llvm_type.as_pointer()), [args[1]])
            instruction = builder.store(args[2], pointer, align=align)
            reads, writes = _scopes(builder)
            instruction.set_metadata("alias.scope", writes)
            instruction.set_metadata("noalias", reads)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, numba_type), codegen

    return store


load_f32, store_f32 = _loader(F32, types.float32, 4), _storer(F32, types.float32, 4)
load_i32, store_i32 = _loader(I32, types.int32, 4), _storer(I32, types.int32, 4)
_I16 = ir.IntType(16)
_I8 = ir.IntType(8)
load_u8, store_u8 = _loader(_I8, types.uint8, 1), _storer(_I8, types.uint8, 1)
load_u16, store_u16 = _loader(_I16, types.uint16, 2), _storer(_I16, types.uint16, 2)


@intrinsic
def word(typingctx: Any, address: Any, index: Any) -> Any:
    """The 64-bit word at address + 8 index, of a block of arguments."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(builder.gep(builder.inttoptr(args[0], I64.as_pointer()), [args[1]]), align=8)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def set_word(typingctx: Any, address: Any, index: Any, value: Any) -> Any:
    """Writes the 64-bit word at address + 8 index."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], builder.gep(builder.inttoptr(args[0], I64.as_pointer()), [args[1]]), align=8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def prefetch(typingctx: Any, address: Any) -> Any:
    """Asks for the cache line at an address before it is needed."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        i8 = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [i8, I32, I32, I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [builder.inttoptr(args[0], i8), I32(0), I32(3), I32(1)])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def float_bits(typingctx: Any, x: Any) -> Any:
    """The 32 bits of a float32 as an int32."""
    return types.int32(types.float32), lambda context, builder, signature, args: builder.bitcast(args[0], I32)


@intrinsic
def bits_float(typingctx: Any, x: Any) -> Any:
    """The float32 with these 32 bits."""
    return types.float32(types.int32), lambda context, builder, signature, args: builder.bitcast(args[0], F32)


@intrinsic
def to_int(typingctx: Any, x: Any) -> Any:
    """float32 to int32 by truncation (any value for what does not fit)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        # Freeze: an out-of-range conversion is poison in LLVM, and the value is only used where it is in range.
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(I32, [F32]), "llvm.fptosi.sat.i32.f32")
        return builder.call(function, [args[0]])

    return types.int32(types.float32), codegen


def _unary(name: str) -> Any:
    @intrinsic
    def operation(typingctx: Any, x: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(F32, [F32]), f"llvm.{name}.f32")
            return builder.call(function, [args[0]])

        return types.float32(types.float32), codegen

    return operation


rint, fabs, sqrt, floor = _unary("rint"), _unary("fabs"), _unary("sqrt"), _unary("floor")


def _binary(name: str) -> Any:
    @intrinsic
    def operation(typingctx: Any, x: Any, y: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(F32, [F32, F32]), f"llvm.{name}.f32")
            return builder.call(function, [args[0], args[1]])

        return types.float32(types.float32, types.float32), codegen

    return operation


copysign = _binary("copysign")


@intrinsic
def fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """x y + z, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(F32, [F32, F32, F32]), "llvm.fma.f32")
        return builder.call(function, list(args))

    return types.float32(types.float32, types.float32, types.float32), codegen


@intrinsic
def call4(typingctx: Any, function: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Calls the C function at an address with four 64-bit words; returns its int32 result."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(I32, [I64, I64, I64, I64])
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), list(args[1:]))

    return types.int32(*[types.int64] * 5), codegen


@intrinsic
def call6(typingctx: Any, function: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    """Calls the C function at an address with six 64-bit words; returns its int64 result."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(I64, [I64] * 6)
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), list(args[1:]))

    return types.int64(*[types.int64] * 7), codegen


@intrinsic
def atomic_add(typingctx: Any, address: Any, value: Any) -> Any:
    """Adds to the word at an address as one step that all threads see; returns what was there."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", builder.inttoptr(args[0], I64.as_pointer()), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def atomic_claim(typingctx: Any, address: Any, expected: Any, value: Any) -> Any:
    """Replaces ``expected`` by ``value`` at an address; whether this thread did it, and no other before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], I64.as_pointer())
        return builder.extract_value(builder.cmpxchg(pointer, args[1], args[2], "seq_cst", "seq_cst"), 1)

    return types.boolean(types.int64, types.int64, types.int64), codegen


@intrinsic
def atomic_load(typingctx: Any, address: Any) -> Any:
    """The word at an address as other threads left it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(builder.inttoptr(args[0], I64.as_pointer()), "acquire", 8)

    return types.int64(types.int64), codegen


@intrinsic
def atomic_store(typingctx: Any, address: Any, value: Any) -> Any:
    """Writes a word so that other threads see it and all that was written before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[1], builder.inttoptr(args[0], I64.as_pointer()), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def pause(typingctx: Any) -> Any:
    """Tells the processor that the thread is waiting for another, where it has a word for that."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if "x86_64" in llvm.get_process_triple():
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def call_sgemm(
    typingctx: Any,
    function: Any,
    ta: Any,
    tb: Any,
    m: Any,
    n: Any,
    k: Any,
    a: Any,
    lda: Any,
    b: Any,
    ldb: Any,
    beta: Any,
    c: Any,
    ldc: Any,
) -> Any:
    """dnnl_sgemm(ta, tb, m, n, k, 1, a, lda, b, ldb, beta, c, ldc) for row-major matrices; the status.

    A negative function is the negated address of BLAS's cblas_sgemm, whose arguments are an order and 32-bit numbers.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        fn, ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc = args
        i8 = ir.IntType(8)
        kind = ir.FunctionType(I32, [i8, i8, I64, I64, I64, F32, I64, I64, I64, I64, F32, I64, I64])
        one = ir.Constant(F32, 1.0)
        words = [builder.trunc(ta, i8), builder.trunc(tb, i8), m, n, k, one, a, lda, b, ldb, beta, c, ldc]
        short = {x: builder.trunc(x, I32) for x in (m, n, k, lda, ldb, ldc)}

        def side(letter: Any) -> Any:
            return builder.select(builder.icmp_signed("==", letter, I64(ord("N"))), I32(_PLAIN), I32(_TRANSPOSED))

        with builder.if_else(builder.icmp_signed("<", fn, I64(0))) as (is_blas, is_onednn):
            with is_blas:
                blas = ir.FunctionType(ir.VoidType(), [*[I32] * 6, F32, I64, I32, I64, I32, F32, I64, I32])
                sizes = [I32(_ROW_MAJOR), side(ta), side(tb), short[m], short[n], short[k]]
                function = builder.inttoptr(builder.neg(fn), blas.as_pointer())
                builder.call(function, [*sizes, one, a, short[lda], b, short[ldb], beta, c, short[ldc]])
                from_blas = builder.block
            with is_onednn:
                status = builder.call(builder.inttoptr(fn, kind.as_pointer()), words)
                from_onednn = builder.block
        result = builder.phi(I32)
        result.add_incoming(I32(0), from_blas)
        result.add_incoming(status, from_onednn)
        return result

    integers = [types.int64] * 10
    return types.int32(*integers, types.float32, types.int64, types.int64), codegen


#: Lanes of the vector form below; 1 where the processor has no AVX-512, and then only the plain form is compiled.
LANES = 16 if features().get("avx512f") else 1


@intrinsic
def root_quotient_lanes(typingctx: Any, d: Any, a: Any, s: Any, v: Any, r: Any, e: Any, index: Any) -> Any:
    """d = a s / (√v r + e) for 16 elements from ``index``.

    By the processor's 14-bit estimates of 1/√ and 1/x and one step of Newton's method each, which is as exact as float32
    to about one unit in the last place and three times as fast as its square root and division.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(F32, 16)
        reads, writes = _scopes(builder)

        def splat(x: float) -> Any:
            return ir.Constant(vector, [x] * 16)

        def load(address: Any) -> Any:
            pointer = builder.gep(builder.inttoptr(address, F32.as_pointer()), [args[6]])
            value = builder.load(builder.bitcast(pointer, vector.as_pointer()), align=4)
            value.set_metadata("alias.scope", reads)
            value.set_metadata("noalias", writes)
            return value

        def call(name: str, *xs: Any) -> Any:
            kind = ir.FunctionType(vector, [x.type for x in xs])
            return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), list(xs))

        def multiply_add(x: Any, y: Any, z: Any) -> Any:
            return call("llvm.fma.v16f32", x, y, z)

        def estimate(name: str, x: Any) -> Any:
            return call(f"llvm.x86.avx512.{name}14.ps.512", x, splat(0.0), ir.Constant(ir.IntType(16), -1))

        one, zero, infinite = splat(1.0), splat(0.0), splat(float("inf"))
        a, s, v, r, e = (load(x) for x in args[1:6])
        guess = estimate("rsqrt", v)
        h = builder.fmul(v, guess)
        error = multiply_add(builder.fneg(h), guess, one)
        root = multiply_add(builder.fmul(splat(0.5), h), error, h)
        edge = builder.or_(builder.fcmp_ordered("==", v, zero), builder.fcmp_ordered("==", v, infinite))
        root = builder.select(edge, v, root)
        below = multiply_add(root, r, e)
        above = builder.fmul(a, s)
        x = estimate("rcp", below)
        x = multiply_add(x, multiply_add(builder.fneg(below), x, one), x)
        q = builder.fmul(above, x)
        q = multiply_add(multiply_add(builder.fneg(below), q, above), x, q)
        q = builder.select(builder.fcmp_ordered("==", below, infinite), zero, q)
        pointer = builder.gep(builder.inttoptr(args[0], F32.as_pointer()), [args[6]])
        instruction = builder.store(q, builder.bitcast(pointer, vector.as_pointer()), align=4)
        instruction.set_metadata("alias.scope", writes)
        instruction.set_metadata("noalias", reads)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7), codegen


@njit(forceinline=True)
def word_float(address, index):
    """The float32 in the low half of a word."""
    return bits_float(types.int32(word(address, index) & 0xFFFFFFFF))
