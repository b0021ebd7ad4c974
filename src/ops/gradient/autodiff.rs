//! [`Differentiable`] where gradients are recorded: what each operation keeps, and how it goes back.

use burn::backend::Autodiff;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients as Recorded;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::{FloatTensor, IntTensor};

use super::{Differentiable, Gradients};
use crate::ops::{Activation, Attention};

/// Hands gradients to those inputs that want theirs.
fn give<B: Gradients, const N: usize>(
    parents: [Option<NodeId>; N],
    gradients: [FloatTensor<B>; N],
    grads: &mut Recorded,
) {
    for (parent, gradient) in parents.into_iter().zip(gradients) {
        if let Some(parent) = parent {
            grads.register::<B>(parent, gradient);
        }
    }
}

#[derive(Debug)]
struct Activate;

impl<B: Gradients> Backward<B, 1> for Activate {
    type State = (FloatTensor<B>, Activation);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Recorded, _: &mut Checkpointer) {
        let (x, activation) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |dy| B::activate_grad(x, dy, activation));
    }
}

#[derive(Debug)]
struct Normalize;

impl<B: Gradients> Backward<B, 3> for Normalize {
    type State = (FloatTensor<B>, FloatTensor<B>, f32);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Recorded, _: &mut Checkpointer) {
        let (x, weight, epsilon) = ops.state;
        let dy = grads.consume::<B>(&ops.node);
        give::<B, _>(
            ops.parents.map(|parent| parent.map(|node| node.id)),
            B::normalize_grad(x, weight, dy, epsilon),
            grads,
        );
    }
}

#[derive(Debug)]
struct Attend;

impl<B: Gradients> Backward<B, 5> for Attend {
    type State = ([FloatTensor<B>; 5], FloatTensor<B>, Attention);

    fn backward(self, ops: Ops<Self::State, 5>, grads: &mut Recorded, _: &mut Checkpointer) {
        let (inputs, shares, spec) = ops.state;
        let dy = grads.consume::<B>(&ops.node);
        let [q, past_k, past_v, k, v] = ops.parents.map(|parent| parent.map(|node| node.id));
        // What stands for an absent past is some other input.
        let past = |parent: Option<_>| parent.filter(|_| spec.past > 0);
        give::<B, _>([q, past(past_k), past(past_v), k, v], B::attend_grad(inputs, shares, dy, spec), grads);
    }
}

#[derive(Debug)]
struct Project;

impl<B: Gradients> Backward<B, 3> for Project {
    type State = (FloatTensor<B>, FloatTensor<B>, bool);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Recorded, _: &mut Checkpointer) {
        let (x, weight, biased) = ops.state;
        let dy = grads.consume::<B>(&ops.node);
        let [x_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = x_node {
            grads.register::<B>(node.id, B::project_grad_x(weight, dy.clone()));
        }
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, B::project_grad_weight(x, dy.clone()));
        }
        if let Some(node) = bias_node.filter(|_| biased) {
            grads.register::<B>(node.id, B::project_grad_bias(dy));
        }
    }
}

#[derive(Debug)]
struct Turn;

impl<B: Gradients> Backward<B, 1> for Turn {
    type State = (FloatTensor<B>, usize, bool);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Recorded, _: &mut Checkpointer) {
        let (table, heads, back) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |dy| B::turn_op(dy, table, heads, !back));
    }
}

#[derive(Debug)]
struct CrossEntropy;

impl<B: Gradients> Backward<B, 1> for CrossEntropy {
    type State = (FloatTensor<B>, IntTensor<B>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Recorded, _: &mut Checkpointer) {
        let (logits, labels) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |dy| B::cross_entropy_grad(logits, labels, dy));
    }
}

impl<B: Gradients, C: CheckpointStrategy> Differentiable for Autodiff<B, C> {
    fn activate_op(x: FloatTensor<Self>, activation: Activation) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = B::activate_op(x.clone(), activation);
        match Activate.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, activation), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn normalize_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let [(x, x_node), (weight, weight_node), (bias, bias_node)] =
            [x, weight, bias].map(|tensor| tensor.into_parts());
        let y = B::normalize_op(x.clone(), weight.clone(), bias, epsilon);
        match Normalize.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, weight, epsilon), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn attend_op(
        q: FloatTensor<Self>,
        past_k: FloatTensor<Self>,
        past_v: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: Attention,
    ) -> FloatTensor<Self> {
        let [(q, q_node), (past_k, past_k_node), (past_v, past_v_node), (k, k_node), (v, v_node)] =
            [q, past_k, past_v, k, v].map(|tensor| tensor.into_parts());
        let (inputs, nodes) = ([q, past_k, past_v, k, v], [q_node, past_k_node, past_v_node, k_node, v_node]);
        let [y, shares] = B::attend_with_shares(inputs.clone(), bias.into_primitive(), spec);
        match Attend.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((inputs, shares, spec), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn project_op(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        biased: bool,
    ) -> FloatTensor<Self> {
        let [(x, x_node), (weight, weight_node), (bias, bias_node)] =
            [x, weight, bias].map(|tensor| tensor.into_parts());
        let y = B::project_op(x.clone(), weight.clone(), bias, biased);
        match Project.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, weight, biased), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn turn_op(x: FloatTensor<Self>, table: FloatTensor<Self>, heads: usize, back: bool) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let table = table.into_primitive();
        let y = B::turn_op(x, table.clone(), heads, back);
        match Turn.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((table, heads, back), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn cross_entropy_op(logits: FloatTensor<Self>, labels: IntTensor<Self>) -> FloatTensor<Self> {
        let (logits, node) = logits.into_parts();
        let losses = B::cross_entropy_op(logits.clone(), labels.clone());
        match CrossEntropy.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((logits, labels), losses),
            OpsKind::UnTracked(prep) => prep.finish(losses),
        }
    }
}
