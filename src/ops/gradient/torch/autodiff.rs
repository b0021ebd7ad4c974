//! How [`Torch`]'s operations enter burn's graph.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::libtorch::{LibTorch, TchTensor};
use burn::backend::tensor::FloatTensor;

use super::kernels::{Kept, back, forward};
use super::{Op, Torch};

impl Torch for LibTorch {
    fn torch_op(a: TchTensor, b: TchTensor, c: TchTensor, constant: TchTensor, op: Op) -> TchTensor {
        let (y, _) = forward(&op, [&a.tensor, &b.tensor, &c.tensor], &constant.tensor);
        wrapped(y, &[&a, &b, &c])
    }
}

/// As burn has it. burn writes into memory that nobody else holds: what may be one of `others` has to count as such.
fn wrapped(tensor: tch::Tensor, others: &[&TchTensor]) -> TchTensor {
    let at = tensor.data_ptr();
    match others.iter().find(|other| other.tensor.data_ptr() == at) {
        Some(other) => TchTensor::from_existing(tensor, other.storage.clone()),
        None => TchTensor::new(tensor),
    }
}

#[derive(Debug)]
struct Step;

/// What goes back: the operation, and tensors of the way there.
#[derive(Debug, Clone)]
struct State(Op, Vec<TchTensor>);

impl Backward<LibTorch, 3> for Step {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State(op, kept) = ops.state;
        let dy = grads.consume::<LibTorch>(&ops.node);
        let arity = op.arity();
        let mut parents = ops.parents.into_iter();
        let parents: [_; 3] =
            std::array::from_fn(|index| parents.next().flatten().filter(|_| index < arity).map(|node| node.id));
        let wanted = [0, 1, 2].map(|index: usize| parents[index].is_some());
        let kept: Kept = kept.iter().map(|tensor| tensor.tensor.shallow_clone()).collect();
        for (parent, gradient) in parents.into_iter().zip(back(&op, &kept, &dy.tensor, wanted)) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<LibTorch>(parent, wrapped(gradient, &[&dy]));
            }
        }
    }
}

impl<C: CheckpointStrategy> Torch for Autodiff<LibTorch, C> {
    fn torch_op(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        constant: FloatTensor<Self>,
        op: Op,
    ) -> FloatTensor<Self> {
        let [(a, a_node), (b, b_node), (c, c_node)] = [a, b, c].map(|tensor| tensor.into_parts());
        let constant = constant.into_primitive();
        let (y, kept) = forward(&op, [&a.tensor, &b.tensor, &c.tensor], &constant.tensor);
        let y = wrapped(y, &[&a, &b, &c]);
        match Step.prepare::<C>([a_node, b_node, c_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let kept = kept.into_iter().map(|tensor| wrapped(tensor, &[&a, &b, &c, &constant, &y])).collect();
                prep.finish(State(op, kept), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
