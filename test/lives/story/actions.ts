import type { Action } from './actor.js';
import {
  changeCard,
  changeCustomerCoupon,
  changeDiscount,
  deleteAndReturn,
  settleOpenInvoice,
} from './customer-actions.js';
import { changeBalance, changeExtra, meter, oneOff, startOver } from './extra-actions.js';
import { creditLine, creditNote, dispute, endRefund, moveOn, refund, refundYear } from './money-back-actions.js';
import { changeAtPeriodEnd, changeInPortal, changePlan, mint } from './plan-actions.js';
import { buyPack, payByLink, payIntent } from './purchase-actions.js';
import { cancelLater, cancelNow, endTrial, goOn, moveTrial, pauseOrResume, subscribe } from './subscription-actions.js';

/** What can happen, and how often it does. */
export const actions: readonly (readonly [number, Action])[] = [
  [14, buyPack],
  [3, payIntent],
  [2, payByLink],
  [16, subscribe],
  [8, changePlan],
  [2, mint],
  [4, changeInPortal],
  [4, changeAtPeriodEnd],
  [2, startOver],
  [4, changeExtra],
  [14, meter],
  [3, oneOff],
  [2, changeBalance],
  [5, cancelLater],
  [4, goOn],
  [3, cancelNow],
  [4, pauseOrResume],
  [2, endTrial],
  [3, moveTrial],
  [3, changeDiscount],
  [2, changeCustomerCoupon],
  [1, deleteAndReturn],
  [5, changeCard],
  [6, settleOpenInvoice],
  [6, refund],
  [2, refundYear],
  [3, endRefund],
  [4, dispute],
  [6, moveOn],
  [4, creditNote],
  [3, creditLine],
];
